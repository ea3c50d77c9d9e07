"""The port Bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path_of
from ultra_recovery.core.errors import NotFound
from ultra_recovery.core.objects import Kind


class KubernetesBench:
    """Objects of one namespace. All reads are of this moment, never from a cache."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> None:
        """Create an object."""
        await self._connection.request("POST", path_of(kind, self._namespace), body=document)

    async def read(self, kind: Kind, name: str) -> Mapping[str, Any] | None:
        """One object, or None."""
        try:
            return await self._connection.request("GET", path_of(kind, self._namespace, name))
        except NotFound:
            return None

    async def list(self, kind: Kind, labels: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind that carry these labels."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        where = path_of(kind, self._namespace)
        answer = await self._connection.request("GET", where, query={"labelSelector": selector})
        items: Sequence[Mapping[str, Any]] = answer.get("items") or ()
        return items

    async def delete(self, kind: Kind, name: str) -> None:
        """Delete an object, and its dependents in the background."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            await self._connection.request("DELETE", path_of(kind, self._namespace, name), body=options)
        except NotFound:
            return
