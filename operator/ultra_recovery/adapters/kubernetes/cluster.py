"""The Cluster port: effects on objects that are not ours."""

from __future__ import annotations

from ultra_recovery.adapters.kubernetes.connection import EFFECT_LIMIT, Connection
from ultra_recovery.adapters.kubernetes.objects import object_path
from ultra_recovery.core.objects import Key


class KubernetesCluster:
    """Evicts pods through the Eviction API, which honours disruption budgets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def evict(self, key: Key, uid: str) -> None:
        """Evict the pod if it still is the one with this UID; the API server itself compares."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": key.namespace, "name": key.name},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._connection.request("POST", f"{object_path(key)}/eviction", body=body, limit=EFFECT_LIMIT)
