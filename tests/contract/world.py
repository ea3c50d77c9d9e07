"""What the contract suites need from a server beside the ports under test: to set the stage and to look behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.rights import Account, Right
from ultra_recovery.ports import Cluster, Intents, Jobs, Leases, Objects, Reviewer


class World(Protocol):
    """One server, twin or real, with a namespace for the test."""

    namespace: str
    objects: Objects
    cluster: Cluster
    leases: Leases
    jobs: Jobs
    intents: Intents
    reviewer: Reviewer

    async def add(self, kind: Kind, document: Mapping[str, Any]) -> Mapping[str, Any]: ...

    async def stored(self, key: Key) -> Mapping[str, Any]: ...

    async def annotate(self, key: Key, name: str, value: str) -> None: ...

    async def remove(self, key: Key) -> None: ...

    async def add_running_pod(self, name: str) -> str:
        """Add a pod that stays in Terminating when evicted; returns its UID."""
        ...

    async def grant(self, account: Account, rights: Sequence[Right]) -> None:
        """Apply what a message prints to grant these rights; returns when that is in force."""
        ...

    async def add_cron_job(self, document: Mapping[str, Any]) -> None: ...

    async def protect_pods(self) -> None:
        """Add a disruption budget that allows no eviction in the namespace."""
        ...


def breaker(name: str = "orders") -> dict[str, Any]:
    return {
        "apiVersion": Kind.BREAKER.api_version,
        "kind": "CircuitBreaker",
        "metadata": {"name": name},
        "spec": {"target": {"workload": {"kind": "Deployment", "name": name}}},
    }


def run(name: str = "orders-1-1") -> dict[str, Any]:
    return {
        "apiVersion": Kind.RUN.api_version,
        "kind": "RecoveryRun",
        "metadata": {"name": name, "labels": {"recovery.ultra.dev/policy": "orders"}},
        "spec": {
            "policyName": "orders",
            "cause": "Trigger",
            "incident": 1,
            "sequence": 1,
            "attempt": 1,
            "triggers": ["pods"],
            "expiresAfter": "10m",
        },
    }
