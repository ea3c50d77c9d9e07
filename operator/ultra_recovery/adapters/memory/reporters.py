"""Server-side apply of one reporter's entry, as a server does it with a list that is a map by name."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ultra_recovery.adapters.memory.store import MemoryStore
from ultra_recovery.apis.circuit_breaker import ReporterStatus
from ultra_recovery.core.errors import Rejected
from ultra_recovery.core.objects import Key

_MAX_ENTRIES = 64


def apply_reporter(store: MemoryStore, key: Key, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the entry in the place of the one of its name, or at the end; all other entries and fields stay.

    Raises:
        NotFound: the breaker does not exist.
        Rejected: the entry does not fit the schema, or there are too many.
    """
    try:
        ReporterStatus.model_validate(entry)
    except ValidationError as error:
        raise Rejected(f"status.reporters: {error.errors(include_url=False)[0]['msg']}") from error

    def put(document: dict[str, Any]) -> None:
        entries = document.setdefault("status", {}).setdefault("reporters", [])
        places = [place for place, item in enumerate(entries) if item["name"] == entry["name"]]
        if places:
            entries[places[0]] = copy.deepcopy(dict(entry))
        elif len(entries) < _MAX_ENTRIES:
            entries.append(copy.deepcopy(dict(entry)))
        else:
            raise Rejected(f"status.reporters: must have at most {_MAX_ENTRIES} items")

    return store.change(key, put)
