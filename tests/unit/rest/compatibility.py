"""What a caller of an older description would miss in a newer one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every promise of the old description that the new one does not keep."""
    return sorted(set(_paths(old, new)))


def _paths(old: Schema, new: Schema) -> Iterator[str]:
    for path, item in old["paths"].items():
        for method, before in item.items():
            place = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{place} is gone"
                continue
            yield from _parameters(place, before, after)
            yield from _body(place, (old, before), (new, after))
            yield from _answers(place, (old, before), (new, after))


def _parameters(place: str, before: Schema, after: Schema) -> Iterator[str]:
    known = {(item["in"], item["name"]): item for item in before.get("parameters", ())}
    present = {(item["in"], item["name"]): item for item in after.get("parameters", ())}
    for key in known.keys() - present.keys():
        yield f"{place}: parameter {key[1]} is gone"
    for key, item in present.items():
        if item.get("required") and not known.get(key, {}).get("required"):
            yield f"{place}: parameter {key[1]} is newly required"


def _body(place: str, old: tuple[Schema, Schema], new: tuple[Schema, Schema]) -> Iterator[str]:
    (old_root, before), (new_root, after) = old, new
    if after.get("requestBody", {}).get("required") and not before.get("requestBody", {}).get("required"):
        yield f"{place}: a body is newly required"
    was = _resolve(old_root, _content(before.get("requestBody", {})))
    now = _resolve(new_root, _content(after.get("requestBody", {})))
    for name in was.get("properties", {}).keys() - now.get("properties", {}).keys():
        yield f"{place}: field {name} of the body is gone"
    for name in set(now.get("required", ())) - set(was.get("required", ())):
        yield f"{place}: field {name} of the body is newly required"
    for name, field in was.get("properties", {}).items():
        for value in set(field.get("enum", ())) - set(now.get("properties", {}).get(name, {}).get("enum", ())):
            yield f"{place}: field {name} of the body does not take {value} any more"


def _answers(place: str, old: tuple[Schema, Schema], new: tuple[Schema, Schema]) -> Iterator[str]:
    (old_root, before), (new_root, after) = old, new
    for code, answer in before["responses"].items():
        if code not in after["responses"]:
            if code < "400":
                yield f"{place}: answer {code} is gone"
            continue
        was, now = _content(answer), _content(after["responses"][code])
        yield from _fields(f"{place} {code}", (old_root, was), (new_root, now), frozenset())


def _fields(place: str, old: tuple[Schema, Schema], new: tuple[Schema, Schema], seen: frozenset[str]) -> Iterator[str]:
    reference = old[1].get("$ref", "")
    if reference and reference in seen:
        return
    seen |= {reference}
    was, now = _resolve(*old), _resolve(*new)
    for name, field in was.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{place}: field {name} is gone"
        else:
            yield from _fields(f"{place}.{name}", (old[0], field), (new[0], now["properties"][name]), seen)
    for inner in ("items", "additionalProperties"):
        if isinstance(was.get(inner), Mapping):
            yield from _fields(f"{place}[]", (old[0], was[inner]), (new[0], now.get(inner, {})), seen)


def _content(part: Schema) -> Schema:
    found = next(iter(part.get("content", {}).values()), {})
    schema: Schema = found.get("schema", {})
    return schema


def _resolve(root: Schema, schema: Schema) -> Schema:
    for choice in schema.get("anyOf", ()):
        if "$ref" in choice:
            schema = choice
    if "$ref" not in schema:
        return schema
    found: Schema = root["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found
