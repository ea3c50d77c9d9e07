"""The port Cluster."""

from __future__ import annotations

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path_of
from ultra_recovery.core.errors import Conflict, Unavailable
from ultra_recovery.core.objects import Key


class KubernetesCluster:
    """Effects on objects that are not ours."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def evict(self, key: Key, uid: str) -> None:
        """Evict a pod, if it is still the one with this UID.

        The server says 409 when it is another pod, and when somebody else wrote the pod at the same moment, too. The
        second tells nothing of the pod: it counts as no answer, so that the caller looks before it goes on.
        """
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        where = path_of(key.kind, key.namespace, key.name, "eviction")
        try:
            await self._connection.request("POST", where, body=body)
        except Conflict as error:
            if "precondition" in str(error).lower():
                raise
            raise Unavailable(str(error)) from error
