"""The ports that the Kubernetes API serves, over `kubernetes.aio`: the only package that imports the client.

Documents stay raw JSON: the typed models of the client cost ten times the CPU of the parser and drop unknown fields.
Every error leaves this package as one of `core.errors`.
"""
