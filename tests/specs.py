"""The smallest right spec of each kind."""

from __future__ import annotations

from typing import Any

SPECS: dict[str, dict[str, Any]] = {
    "CircuitBreaker": {"target": {"http": {"serviceRef": {"name": "db", "port": 80}}}},
    "RecoveryPolicy": {
        "targetRef": {"kind": "Deployment", "name": "web"},
        "triggers": [{"name": "pods", "podUnhealthy": {}}],
        "ladder": [{"name": "restart", "action": {"restartPods": {}}}],
    },
    "RecoveryRun": {
        "policyName": "web",
        "cause": "Trigger",
        "incident": 1,
        "sequence": 1,
        "attempt": 1,
        "triggers": ["pods"],
    },
}
