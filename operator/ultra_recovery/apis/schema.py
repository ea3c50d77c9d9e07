"""Custom resource definitions, derived from the types.

What pydantic calls a JSON schema is not what the API server accepts as a *structural* schema: references, titles and
alternatives with null must go, object defaults must be empty so that the nested defaults fill them in.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, NoDefault
from pydantic_core import core_schema

from ultra_recovery.apis.kinds import CATEGORY, Column, Kind
from ultra_recovery.apis.meta import GROUP, PATTERN_MESSAGE, VERSION, ApiType, format_duration

Schema = dict[str, Any]

SCHEMA_REVISION = 1
"""Grows by one in the first change of a schema after a release. An operator does not start on an older one."""
GENERATED_ANNOTATION = f"{GROUP}/generated"
REVISION_ANNOTATION = f"{GROUP}/schema-revision"
_REVISION = re.compile(r"\bSchema revision (\d+)\.$")
RULES = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
_KEY_ORDER = (
    *("description", "type", "format", "default", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"),
    *(
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        LIST_TYPE,
        "x-kubernetes-list-map-keys",
        "items",
        "required",
        "properties",
    ),
    *("additionalProperties", RULES),
)
_RULE_KEYS = ("rule", "message", "fieldPath")
_INT32_MAX = 2**31 - 1


def crd(kind: Kind) -> Schema:
    """The CustomResourceDefinition of a kind, ready to be written as YAML."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_printer_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": root_schema(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": kind.crd_name,
            "annotations": {
                GENERATED_ANNOTATION: "by ultra-recovery generate, from the types; do not edit",
                REVISION_ANNOTATION: str(SCHEMA_REVISION),
            },
            "labels": {"app.kubernetes.io/name": "ultra-recovery"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def revision_of(description: str) -> int:
    """The revision that the description of a served schema ends with; 0 where there is none.

    The description is what the API server publishes to everybody. An annotation of the CRD it shows only to those who
    may read CRDs, and unknown fields of a schema are dropped.
    """
    found = _REVISION.search(description)
    return int(found[1]) if found else 0


def root_schema(kind: Kind) -> Schema:
    """The schema of a whole object of this kind."""
    return {
        "description": f"{kind.description} Schema revision {SCHEMA_REVISION}.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "description": f"Group and version of this representation of the object: {GROUP}/{VERSION}.",
                "type": "string",
            },
            "kind": {"description": f"Kind of this object: {kind.kind}. It cannot be changed.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec),
            "status": without_judgement(structural_schema(kind.status)),
        },
    }


def structural_schema(model: type[ApiType]) -> Schema:
    """The structural schema of a type: references inlined, nothing that the API server refuses."""
    raw = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    return _structural(raw, raw.get("$defs", {}))


def without_judgement(schema: Schema) -> Schema:
    """The schema without defaults, patterns and rules.

    A status says what was. The API server must not add to it, and must not refuse it for what a newer rule says of the
    part of a spec that a run copied long ago. Types and bounds stay.
    """
    result = {key: value for key, value in schema.items() if key not in ("default", "pattern", RULES)}
    if "items" in result:
        result["items"] = without_judgement(result["items"])
    if "properties" in result:
        result["properties"] = {name: without_judgement(field) for name, field in result["properties"].items()}
    return result


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, with the defaults that factories make."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> object:
        if "default_factory" in schema and not schema.get("default_factory_takes_data"):
            factory: Any = schema["default_factory"]
            return factory()
        return schema.get("default", NoDefault)

    def encode_default(self, dft: object) -> object:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _structural(raw: Schema, defs: dict[str, Schema]) -> Schema:
    node = _flattened(raw, defs)
    for noise in ("title", "$defs"):
        node.pop(noise, None)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "pattern" in node and PATTERN_MESSAGE in node:
        rule = {"rule": f"self.matches(r'{node.pop('pattern')}')", "message": node.pop(PATTERN_MESSAGE)}
        node[RULES] = [rule, *node.get(RULES, [])]
    _nest(node, defs)
    if node.get("type") == "integer":
        node["format"] = "int32" if node.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
    if RULES in node:
        node[RULES] = [{key: rule[key] for key in _RULE_KEYS if key in rule} for rule in node[RULES]]
    if node.get("default", ...) is None:
        del node["default"]
    elif "default" in node and node.get("type") == "object":
        node["default"] = {}
    return {key: node[key] for key in sorted(node, key=_key_position)}


def _nest(node: Schema, defs: dict[str, Schema]) -> None:
    """Make what is inside a node structural, too."""
    if "properties" in node:
        node["properties"] = {name: _structural(field, defs) for name, field in node["properties"].items()}
    if node.get("type") == "array":
        node.setdefault(LIST_TYPE, "atomic")
        node["items"] = _structural(node["items"], defs)
    if isinstance(node.get("additionalProperties"), dict):
        node["additionalProperties"] = _structural(node["additionalProperties"], defs)


def _flattened(raw: Schema, defs: dict[str, Schema]) -> Schema:
    """Replace a reference, and a choice between a type and null, by the type; what the field says of itself wins."""
    node = dict(raw)
    while True:
        if "$ref" in node:
            inner = defs[node.pop("$ref").rsplit("/", 1)[1]]
        elif "anyOf" in node:
            inner = _only([choice for choice in node.pop("anyOf") if choice != {"type": "null"}])
        else:
            return node
        node = {**inner, **node}


def _only(choices: list[Schema]) -> Schema:
    if len(choices) != 1:
        raise ValueError(f"a structural schema has no alternatives, yet a field may be any of {choices}")
    return choices[0]


def _key_position(key: str) -> int:
    try:
        return _KEY_ORDER.index(key)
    except ValueError:
        raise ValueError(f"{key!r} has no place in a structural schema") from None


def _printer_column(column: Column) -> Schema:
    result: Schema = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "description": column.description,
    }
    if column.wide:
        result["priority"] = 1
    return result
