"""Right manifests of each kind, and how to make a wrong one of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.specs import SPECS

API_VERSION = "recovery.ultra.dev/v1alpha1"
GONE: object = "left out"
"""Value of a row whose field is left out."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A field with a value it must not have, and what people must read: the field, and what to do about it."""

    kind: str
    path: str
    value: object
    field: str
    words: str


@dataclass(frozen=True, slots=True)
class Good:
    """A field with a value at the edge of what it may have."""

    kind: str
    path: str
    value: object


def changed(kind: str, path: str, value: object) -> dict[str, Any]:
    """A right manifest with one field set to something else; numbers in the path are places in lists.

    Without a path the value is the whole spec.
    """
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "row"}}
    if not path:
        return {**document, "spec": value}
    spec = copy.deepcopy(SPECS[kind])
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = spec
    for part in parents:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    if value is GONE:
        del place[last]
    elif isinstance(last, int):
        place.insert(last, value)
    else:
        place[last] = value
    return {**document, "spec": spec}
