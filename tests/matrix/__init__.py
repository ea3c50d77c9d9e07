"""The crash matrix: the operator is killed at every request that changes something, and must end as if it had not been.

A proxy between operator and API server numbers the requests and breaks things at a chosen one; a stage plays kubelet
and user in a namespace of its own; after every experiment the invariants are checked against what the server did.
"""
