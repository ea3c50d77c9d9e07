"""Custom resource types: the only source of the CRDs, their defaults, bounds and descriptions.

Nothing here imports anything else of ours, does I/O or reads a clock.
"""
