"""The port Objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import MERGE_PATCH, Connection
from ultra_recovery.adapters.kubernetes.lists import ListMemory, ListReader
from ultra_recovery.adapters.kubernetes.paths import path_of
from ultra_recovery.core.errors import NotFound
from ultra_recovery.core.merge import merge_patch
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.ports import Knows, Take

_PAGE = "500"


def _knows_none(namespace: str, name: str, version: str) -> bool:
    """Every object is read."""
    del namespace, name, version
    return False


class KubernetesObjects:
    """Reads all kinds and writes our own.

    Args:
        connection: the API server.
        namespaces: the namespaces to list; empty for the whole cluster.
    """

    def __init__(self, connection: Connection, namespaces: Sequence[str] = ()) -> None:
        self._connection = connection
        self._named = tuple(namespaces)
        self._namespaces = self._named or ("",)
        self._memories: defaultdict[tuple[Kind, str], ListMemory] = defaultdict(ListMemory)

    async def list(self, kind: Kind, take: Take, knows: Knows) -> str:
        """Pass all objects of a kind to `take`, from the server's cache, as they arrive.

        The version of several lists is the lowest: whatever is older and missing is gone in each of them.
        """
        if not kind.namespaced:
            return await self._list_named(take) if self._named else await self._list(kind, "", take, knows)
        return min([await self._list(kind, namespace, take, knows) for namespace in self._namespaces], key=int)

    async def _list_named(self, take: Take) -> str:
        """Our namespaces, one by one: rights that are bound to a namespace allow to get it and not to list it.

        The version comes from a list that is read before: what is older and missing after it is gone.
        """
        breakers = path_of(Kind.BREAKER, self._named[0])
        first = await self._connection.request("GET", breakers, query={"limit": "1"})
        for name in self._named:
            try:
                document = await self._connection.request("GET", path_of(Kind.NAMESPACE, "", name))
            except NotFound:
                continue
            take(document)
        version: str = first["metadata"]["resourceVersion"]
        return version

    async def list_now(self, kind: Kind, namespace: str, take: Take) -> str:
        """Pass all objects of a kind in a namespace to `take`; without a version the server gives the newest."""
        return await self._read(kind, namespace, {"limit": _PAGE}, take, ListMemory(), _knows_none)

    async def _list(self, kind: Kind, namespace: str, take: Take, knows: Knows) -> str:
        query = {"limit": _PAGE, "resourceVersion": "0"}
        return await self._read(kind, namespace, query, take, self._memories[kind, namespace], knows)

    async def _read(
        self, kind: Kind, namespace: str, query: dict[str, str], take: Take, memory: ListMemory, knows: Knows
    ) -> str:
        memory.begin()

        def named(document: dict[str, Any]) -> None:
            # Items of a list of a built-in kind do not say what they are.
            document.setdefault("apiVersion", kind.api_version)
            document.setdefault("kind", str(kind))
            take(document)

        while True:
            reader = ListReader(memory, knows)
            meta = (await self._connection.request_list(path_of(kind, namespace), query, reader, named))["metadata"]
            if not meta.get("continue"):
                memory.end()
                version: str = meta["resourceVersion"]
                return version
            # A page after the first must not name a version: its token holds one.
            query = {"limit": _PAGE, "continue": meta["continue"]}

    async def read_object(self, key: Key) -> Mapping[str, Any]:
        """Get one object, as the server has it at this moment."""
        return await self._connection.request("GET", path_of(key.kind, key.namespace, key.name))

    async def create_run(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a RecoveryRun and return it as stored."""
        return await self._connection.request("POST", path_of(Kind.RUN, namespace), body=document)

    async def delete_run(self, namespace: str, name: str, uid: str) -> None:
        """Delete a RecoveryRun, under the condition that it is the one with this UID."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        await self._connection.request("DELETE", path_of(Kind.RUN, namespace, name), body=options)

    async def write_status(
        self, key: Key, status: Mapping[str, Any], previous: Mapping[str, Any], version: str
    ) -> Mapping[str, Any]:
        """Send the difference of two statuses, under the condition that the object is still at `version`.

        A merge patch, as it answers 409 for another version; a JSON patch with a test would answer 422, which is
        what a wrong document gives, too.
        """
        body: dict[str, Any] = {"metadata": {"resourceVersion": version}}
        patch = merge_patch(previous, status)
        if patch:
            body["status"] = patch
        path = path_of(key.kind, key.namespace, key.name, "status")
        return await self._connection.request("PATCH", path, body=body, content_type=MERGE_PATCH)
