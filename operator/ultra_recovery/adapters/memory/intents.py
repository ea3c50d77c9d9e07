"""Annotations, as the pretended API server takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultra_recovery.adapters.memory.store import MemoryStore
from ultra_recovery.core.errors import Conflict
from ultra_recovery.core.objects import Key


def annotate(store: MemoryStore, key: Key, annotations: Mapping[str, str], version: str) -> Mapping[str, Any]:
    """Merge annotations into those of an object.

    Raises:
        NotFound: it does not exist. Conflict: it is not at `version`.
    """
    if version and store.find(key)["metadata"]["resourceVersion"] != version:
        raise Conflict(f"{key}: the object has been modified")
    return store.change(key, lambda item: item["metadata"].setdefault("annotations", {}).update(annotations))
