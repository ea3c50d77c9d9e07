"""Probes over HTTP: which addresses may be reached, which address a target has now, and the request itself."""
