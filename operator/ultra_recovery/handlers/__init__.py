"""The door of the watch: the only package that imports kopf. It forgets what events said and passes objects on.

kopf runs in a thread and an event loop of its own: it replaces signal handlers, and when it stops it cancels every
task of its loop, so the engine's tasks must not live there. It stores nothing on any object: `on.event` handlers need
neither finalizers nor annotations, so deletes work while the operator is down.
"""
