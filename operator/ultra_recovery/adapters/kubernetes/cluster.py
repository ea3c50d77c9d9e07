"""The port Cluster."""

from __future__ import annotations

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path_of
from ultra_recovery.core.objects import Key


class KubernetesCluster:
    """Effects on objects that are not ours."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def evict(self, key: Key, uid: str) -> None:
        """Evict a pod, if it is still the one with this UID."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._connection.request("POST", path_of(key.kind, key.namespace, key.name, "eviction"), body=body)
