"""JSON merge patches (RFC 7386): the difference between two documents, and its application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest merge patch that turns `old` into `new`.

    Lists are replaced as a whole. A key of `new` whose value is None counts as absent: a merge patch cannot set null.
    """
    patch: dict[str, Any] = {}
    for name, value in new.items():
        if value is None:
            continue
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[name] = inner
        elif isinstance(value, Mapping):
            patch[name] = merge_patch({}, value)
        elif name not in old or not _same(before, value):
            patch[name] = value
    patch.update({name: None for name in old if new.get(name) is None})
    return patch


def _same(left: object, right: object) -> bool:
    """Equality as JSON has it: True is not 1."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    return left == right


def apply_merge_patch(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """What a server stores when it receives `patch` for `document`."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = apply_merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result
