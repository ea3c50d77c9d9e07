"""The port Leases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.core.errors import NotFound
from ultra_recovery.ports import LeaseRecord

_API_VERSION = "coordination.k8s.io/v1"


class KubernetesLeases:
    """Leases of coordination.k8s.io/v1. All requests are prompt: a slow answer about a Lease is worth nothing.

    Args:
        connection: the API server.
        unfenced: for the Lease of the leader itself, which is written before this process may do anything else; what
            protects it is its version.
    """

    def __init__(self, connection: Connection, *, unfenced: bool = False) -> None:
        self._connection = connection
        self._unfenced = unfenced

    async def read(self, namespace: str, name: str) -> LeaseRecord | None:
        """The Lease, or None."""
        try:
            return parse_lease(await self._connection.request("GET", _path(namespace, name), prompt=True))
        except NotFound:
            return None

    async def create(self, lease: LeaseRecord) -> LeaseRecord:
        """Create it."""
        return await self._write("POST", _path(lease.namespace), lease)

    async def replace(self, lease: LeaseRecord) -> LeaseRecord:
        """Write it if it is still at its version, which the server demands of every update.

        The UID goes along: without it the server creates a Lease that is gone anew, whatever the version says.
        """
        return await self._write("PUT", _path(lease.namespace, lease.name), lease)

    async def _write(self, method: str, where: str, lease: LeaseRecord) -> LeaseRecord:
        body = lease_document(lease)
        return parse_lease(await self._connection.request(method, where, body=body, unfenced=self._unfenced))

    async def delete(self, lease: LeaseRecord) -> None:
        """Delete it if it is still at its version."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"resourceVersion": lease.version},
        }
        await self._connection.request("DELETE", _path(lease.namespace, lease.name), body=body)


def lease_document(lease: LeaseRecord) -> dict[str, Any]:
    """The Lease as the API has it."""
    meta: dict[str, Any] = {"name": lease.name, "namespace": lease.namespace}
    if lease.labels:
        meta["labels"] = dict(lease.labels)
    if lease.version:
        meta["resourceVersion"] = lease.version
    if lease.uid:
        meta["uid"] = lease.uid
    spec = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.duration,
        "leaseTransitions": lease.transitions,
        "acquireTime": _micro_time(lease.acquired_at),
        "renewTime": _micro_time(lease.renewed_at),
    }
    return {
        "apiVersion": _API_VERSION,
        "kind": "Lease",
        "metadata": meta,
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


def parse_lease(document: Mapping[str, Any]) -> LeaseRecord:
    """The record of a Lease, whoever wrote it: all fields of its spec are optional."""
    meta, spec = document["metadata"], document.get("spec") or {}
    return LeaseRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        holder=spec.get("holderIdentity") or "",
        duration=spec.get("leaseDurationSeconds") or 0,
        transitions=spec.get("leaseTransitions") or 0,
        acquired_at=_moment(spec.get("acquireTime")),
        renewed_at=_moment(spec.get("renewTime")),
        version=meta["resourceVersion"],
        labels=meta.get("labels") or {},
        uid=meta.get("uid", ""),
    )


def _path(namespace: str, name: str = "") -> str:
    return path(_API_VERSION, "leases", namespace, name)


def _micro_time(moment: datetime | None) -> str | None:
    # The API insists on all six digits, which isoformat() drops when they are zero.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
