"""The port Bench over a store in memory, with the tiny controller that makes pods of Deployments."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ultra_recovery.adapters.memory.store import MemoryStore
from ultra_recovery.adapters.memory.workloads import Workloads
from ultra_recovery.core.errors import AlreadyExists
from ultra_recovery.core.objects import Key, Kind


class MemoryBench:
    """Objects of one namespace of a store.

    Attributes:
        created: kind and document of everything that was created, in order.
    """

    def __init__(self, store: MemoryStore, workloads: Workloads, namespace: str) -> None:
        self.created: list[tuple[Kind, Mapping[str, Any]]] = []
        self._store = store
        self._workloads = workloads
        self._namespace = namespace

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> None:
        """Create an object; a Deployment gets its pods at once."""
        meta = {**document["metadata"], "namespace": self._namespace}
        key = self._key(kind, meta["name"])
        if key in self._store.documents:
            raise AlreadyExists(f"{key} already exists")
        self.created.append((kind, copy.deepcopy(document)))
        if kind is Kind.DEPLOYMENT:
            self._workloads.deployment(self._namespace, meta["name"], document["spec"]["replicas"])
        else:
            self._store.add(kind, {**document, "metadata": meta})

    async def read(self, kind: Kind, name: str) -> Mapping[str, Any] | None:
        """A copy of one document, or None."""
        return copy.deepcopy(self._store.documents.get(self._key(kind, name)))

    async def list(self, kind: Kind, labels: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Copies of all documents of a kind that carry these labels."""
        return [
            copy.deepcopy(document)
            for key, document in sorted(self._store.documents.items())
            if (key.kind, key.namespace) == (kind, self._namespace)
            and labels.items() <= (document["metadata"].get("labels") or {}).items()
        ]

    async def delete(self, kind: Kind, name: str) -> None:
        """Delete an object, and the pods of a Deployment with it."""
        key = self._key(kind, name)
        if key not in self._store.documents:
            return
        pods = self._workloads.pods(key) if kind is Kind.DEPLOYMENT else []
        self._store.remove(key)
        for pod in pods:
            self._store.remove(pod)

    def _key(self, kind: Kind, name: str) -> Key:
        return Key(kind, self._namespace, name)
