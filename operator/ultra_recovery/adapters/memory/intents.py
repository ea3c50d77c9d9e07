"""Annotations and reports, as the pretended API server takes them."""

from __future__ import annotations

import copy
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


def apply_report(store: MemoryStore, key: Key, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put one entry into `status.reporters`, in the place of the one of its name.

    Raises:
        NotFound: the breaker does not exist.
    """

    def put(item: dict[str, Any]) -> None:
        status = item.setdefault("status", {})
        others = [other for other in status.get("reporters", ()) if other["name"] != entry["name"]]
        place = next((i for i, other in enumerate(status.get("reporters", ())) if other["name"] == entry["name"]), None)
        others.insert(len(others) if place is None else place, copy.deepcopy(dict(entry)))
        status["reporters"] = others

    return store.change(key, put)
