"""The Objects port: lists of all kinds, and what is written to our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ultra_recovery.adapters.kubernetes.connection import EFFECT_LIMIT, FIELD_MANAGER, MERGE_PATCH, Connection
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.core.merge import merge_patch
from ultra_recovery.core.objects import Key, Kind

PAGE = "500"
_Documents = list[Mapping[str, Any]]
_PLURALS = {Kind(kind.kind): kind.plural for kind in KINDS} | {
    Kind.DEPLOYMENT: "deployments",
    Kind.STATEFUL_SET: "statefulsets",
    Kind.POD: "pods",
    Kind.SERVICE: "services",
    Kind.ENDPOINT_SLICE: "endpointslices",
}


def collection_path(kind: Kind, namespace: str = "") -> str:
    """The URL path of all objects of a kind, in one namespace or in all."""
    version = kind.api_version
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{root}{scope}/{_PLURALS[kind]}"


def object_path(key: Key) -> str:
    """The URL path of one object."""
    return f"{collection_path(key.kind, key.namespace)}/{quote(key.name, safe='')}"


class KubernetesObjects:
    """Objects of the whole cluster, or of some namespaces where the operator has rights in those only."""

    def __init__(self, connection: Connection, namespaces: Sequence[str] = ()) -> None:
        self._connection = connection
        self._namespaces = tuple(namespaces)

    async def list(self, kind: Kind) -> tuple[str, Sequence[Mapping[str, Any]]]:
        """All objects of a kind from the server's watch cache, which costs the server next to nothing.

        Several namespaces are several lists; the version is the oldest of theirs.
        """
        versions: set[str] = set()
        documents: _Documents = []
        for namespace in self._namespaces or ("",):
            version, found = await self._list(collection_path(kind, namespace))
            versions.add(version)
            documents += found
        return min(versions, key=lambda version: int(version) if version.isdigit() else 0), documents

    async def _list(self, path: str) -> tuple[str, _Documents]:
        # A page after the first must not name a version: its token holds one.
        query = {"limit": PAGE, "resourceVersion": "0"}
        found: _Documents = []
        while True:
            page = await self._connection.request("GET", path, query=query)
            found += page.get("items") or ()
            token = page["metadata"].get("continue")
            if not token:
                return str(page["metadata"].get("resourceVersion", "")), found
            query = {"limit": PAGE, "continue": token}

    async def create_run(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a RecoveryRun. Creating it again, because the answer was lost, gives AlreadyExists."""
        whole = {"apiVersion": Kind.RUN.api_version, "kind": Kind.RUN.value, **document}
        return await self._connection.request(
            "POST",
            collection_path(Kind.RUN, namespace),
            query={"fieldManager": FIELD_MANAGER},
            body=whole,
            limit=EFFECT_LIMIT,
        )

    async def write_status(
        self, key: Key, status: Mapping[str, Any], previous: Mapping[str, Any], version: str
    ) -> Mapping[str, Any]:
        """Send the difference as a merge patch that is valid for `version` only."""
        difference = merge_patch(previous, status)
        body: dict[str, Any] = {"metadata": {"resourceVersion": version}}
        if difference:
            body["status"] = difference
        return await self._connection.request(
            "PATCH",
            f"{object_path(key)}/status",
            query={"fieldManager": FIELD_MANAGER},
            body=body,
            content_type=MERGE_PATCH,
            limit=EFFECT_LIMIT,
        )
