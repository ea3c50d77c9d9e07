"""Ultra Recovery: a Kubernetes operator that makes services heal themselves and records what it did."""

__version__ = "0.2.0"
