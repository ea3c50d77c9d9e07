"""Orchestration on ports: gather, decide, execute, record. The decisions themselves are in core."""
