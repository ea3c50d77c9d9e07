"""Schemas for kubeconform, made from what the API server says of itself: the very rules that it applies, offline."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.chart.rendering import program

_REF = re.compile(r"^#/definitions/")
_KIND = "x-kubernetes-group-version-kind"
# What the server takes although its description says "string".
_LOOSE = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}


def write_schemas(folder: Path) -> None:
    """One file for each kind that the cluster of KUBECONFIG knows, strict about unknown fields."""
    command = [program("kubectl"), "get", "--raw", "/openapi/v2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    definitions = {name: _strict(name, part) for name, part in json.loads(done.stdout)["definitions"].items()}
    for name, part in definitions.items():
        for kind in part.get(_KIND, ()):
            needed = {other: definitions[other] for other in _reachable(name, definitions)}
            schema = {"$ref": f"#/definitions/{name}", "definitions": needed}
            (folder / file_name(kind["group"], kind["version"], kind["kind"])).write_text(json.dumps(schema))


def file_name(group: str, version: str, kind: str) -> str:
    """The name under which kubeconform looks for a kind."""
    first = group.split(".", maxsplit=1)[0]
    return f"{kind}-{first + '-' if first else ''}{version}.json".lower()


def _strict(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    if name in _LOOSE:
        return dict(_LOOSE[name])
    closed = {"additionalProperties": False} if "properties" in part and "additionalProperties" not in part else {}
    return {**part, **closed}


def _reachable(name: str, definitions: Mapping[str, Any]) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        fresh = set(_references(definitions[waiting.pop()])) - found
        found |= fresh
        waiting += fresh
    return found


def _references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield _REF.sub("", part["$ref"])
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)
