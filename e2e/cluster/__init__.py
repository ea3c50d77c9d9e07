"""The cluster that tests and demos run on: chosen once, started, reused and removed from one place.

Only the standard library is imported here, because this package runs before any virtual environment exists.
"""
