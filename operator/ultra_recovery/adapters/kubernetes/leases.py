"""The Leases port on coordination.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ultra_recovery.adapters.kubernetes.connection import EFFECT_LIMIT, Connection
from ultra_recovery.core.errors import NotFound
from ultra_recovery.core.parsing import parse_time
from ultra_recovery.ports import LeaseRecord

_API = "coordination.k8s.io/v1"


class KubernetesLeases:
    """Leases with compare-and-swap by resourceVersion."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, namespace: str, name: str) -> LeaseRecord | None:
        """The Lease, or None."""
        try:
            return _from_document(await self._connection.request("GET", _path(namespace, name), limit=EFFECT_LIMIT))
        except NotFound:
            return None

    async def create(self, lease: LeaseRecord) -> LeaseRecord:
        """Create the Lease."""
        path = _path(lease.namespace)
        return _from_document(
            await self._connection.request("POST", path, body=_to_document(lease), limit=EFFECT_LIMIT)
        )

    async def replace(self, lease: LeaseRecord) -> LeaseRecord:
        """Replace the Lease at the version that was read; the API server refuses any other.

        The UID goes along because the API server would create a Lease anew that is gone, whatever the version says.
        """
        path = _path(lease.namespace, lease.name)
        return _from_document(await self._connection.request("PUT", path, body=_to_document(lease), limit=EFFECT_LIMIT))

    async def delete(self, lease: LeaseRecord) -> None:
        """Delete the Lease at the version that was read."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": lease.version}}
        path = _path(lease.namespace, lease.name)
        await self._connection.request("DELETE", path, body=body, limit=EFFECT_LIMIT)


def _path(namespace: str, name: str = "") -> str:
    path = f"/apis/{_API}/namespaces/{quote(namespace, safe='')}/leases"
    return f"{path}/{quote(name, safe='')}" if name else path


def micro_time(moment: datetime) -> str:
    """A MicroTime: always six digits. The API server refuses what `isoformat` makes of a whole second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _to_document(lease: LeaseRecord) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.duration,
        "leaseTransitions": lease.transitions,
    }
    if lease.acquired_at is not None:
        spec["acquireTime"] = micro_time(lease.acquired_at)
    if lease.renewed_at is not None:
        spec["renewTime"] = micro_time(lease.renewed_at)
    meta: dict[str, Any] = {"namespace": lease.namespace, "name": lease.name, "labels": dict(lease.labels)}
    if lease.version:
        meta["resourceVersion"] = lease.version
    if lease.uid:
        meta["uid"] = lease.uid
    return {"apiVersion": _API, "kind": "Lease", "metadata": meta, "spec": spec}


def _from_document(document: Mapping[str, Any]) -> LeaseRecord:
    meta, spec = document["metadata"], document.get("spec") or {}
    return LeaseRecord(
        namespace=meta["namespace"],
        name=meta["name"],
        holder=spec.get("holderIdentity") or "",
        duration=spec.get("leaseDurationSeconds") or 0,
        transitions=spec.get("leaseTransitions") or 0,
        acquired_at=parse_time(spec.get("acquireTime")),
        renewed_at=parse_time(spec.get("renewTime")),
        version=meta.get("resourceVersion", ""),
        labels=dict(meta.get("labels") or {}),
        uid=meta.get("uid", ""),
    )
