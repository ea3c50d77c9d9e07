"""Whether a CRD can be upgraded without breaking an object that is stored, or a manifest that somebody applies.

The rules are those of the Operator Lifecycle Manager's "CRD upgrade safety".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
LOWER = ("minimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "maxLength", "maxItems", "maxProperties")
_ABSENT = object()


def upgrade_problems(old: Schema, new: Schema) -> list[str]:
    """What a new CRD breaks of an old one, a sentence each; empty when the upgrade is safe."""
    return list(_problems(old, new))


def _problems(old: Schema, new: Schema) -> Iterator[str]:
    if old["spec"]["scope"] != new["spec"]["scope"]:
        yield f"the scope changed from {old['spec']['scope']} to {new['spec']['scope']}"
    versions = {item["name"]: item for item in new["spec"]["versions"]}
    for item in old["spec"]["versions"]:
        name = item["name"]
        if name not in versions:
            yield f"the version {name} was removed"
            continue
        before, after = (part["schema"]["openAPIV3Schema"] for part in (item, versions[name]))
        yield from _fields(before, after, name)


def _fields(old: Schema, new: Schema, path: str) -> Iterator[str]:
    yield from _node(old, new, path)
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(before) - set(after)):
        yield f"{path}.{name}: the field was removed"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{path}.{name}: the field has become required"
    for name in sorted(set(before) & set(after)):
        yield from _fields(before[name], after[name], f"{path}.{name}")
    for part, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from _fields(old[part], new[part], f"{path}{mark}")


def _node(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if old.get("type") != new.get("type"):
        yield f"{path}: the type changed from {old.get('type')} to {new.get('type')}"
    yield from _default(old.get("default", _ABSENT), new.get("default", _ABSENT), path)
    yield from _enum(old.get("enum"), new.get("enum"), path)
    for keys, tighter in ((LOWER, lambda a, b: b > a), (UPPER, lambda a, b: b < a)):
        for key in keys:
            before, after = old.get(key), new.get(key)
            if after is None:
                continue
            if before is None:
                yield f"{path}: the bound {key} {after} was added"
            elif tighter(before, after):
                yield f"{path}: the bound {key} became tighter, from {before} to {after}"


def _default(old: object, new: object, path: str) -> Iterator[str]:
    if old is _ABSENT and new is not _ABSENT:
        yield f"{path}: a default was added"
    elif old is not _ABSENT and new is _ABSENT:
        yield f"{path}: the default was removed"
    elif old != new:
        yield f"{path}: the default changed from {old!r} to {new!r}"


def _enum(old: list[Any] | None, new: list[Any] | None, path: str) -> Iterator[str]:
    if old is None and new is not None:
        yield f"{path}: values were restricted to {new}"
    elif old is not None and new is not None:
        for value in old:
            if value not in new:
                yield f"{path}: the value {value!r} is not allowed any more"
