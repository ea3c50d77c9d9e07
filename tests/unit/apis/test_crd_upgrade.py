"""The CRDs can be upgraded from those of the last release, and their revision tells old ones from new ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from e2e.releases import crds_of_before
from tests.unit.apis.crd_upgrade import upgrade_problems
from ultra_recovery.apis.kinds import KINDS, Kind
from ultra_recovery.apis.schema import REVISION_ANNOTATION, SCHEMA_REVISION, crd, revision_of

RELEASED = crds_of_before()
"""The CRDs of the last release; a new release puts its own chart in the place of that one."""


def released(kind: Kind) -> dict[str, Any]:
    """The CRD of a kind as it was released last."""
    found: dict[str, Any] = yaml.safe_load(RELEASED[f"recovery.ultra.dev_{kind.plural}.yaml"])
    return found


def root(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def substance(kind: Kind, definition: dict[str, Any]) -> dict[str, Any]:
    """The spec of a CRD without the revision in it."""
    spec: dict[str, Any] = copy.deepcopy(definition["spec"])
    spec["versions"][0]["schema"]["openAPIV3Schema"]["description"] = kind.description
    return spec


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_crds_can_be_upgraded_from_the_last_release(kind: Kind):
    assert upgrade_problems(released(kind), crd(kind)) == []


def test_a_changed_schema_has_a_new_revision():
    """Raise SCHEMA_REVISION in apis/schema.py once, in the first change after a release."""
    revision = max(revision_of(root(released(kind))["description"]) for kind in KINDS)
    changed = [kind.kind for kind in KINDS if substance(kind, released(kind)) != substance(kind, crd(kind))]
    assert revision <= SCHEMA_REVISION
    assert not changed or revision < SCHEMA_REVISION, f"changed since the last release: {changed}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_revision_stands_in_an_annotation_too(kind: Kind):
    assert crd(kind)["metadata"]["annotations"][REVISION_ANNOTATION] == str(SCHEMA_REVISION)


def definition() -> dict[str, Any]:
    """A small CRD with one of everything."""
    spec = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 63, "minLength": 1},
            "mode": {"type": "string", "enum": ["Auto", "Manual"], "default": "Auto"},
            "count": {"type": "integer", "minimum": 1, "maximum": 10},
            "free": {"type": "integer"},
            "list": {"type": "array", "maxItems": 8, "items": {"type": "string", "maxLength": 10}},
            "map": {"type": "object", "maxProperties": 4, "additionalProperties": {"type": "string", "maxLength": 9}},
        },
    }
    versions = [
        {"name": name, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": copy.deepcopy(spec)}}}}
        for name in ("v1", "v2")
    ]
    return {"spec": {"scope": "Namespaced", "versions": versions}}


Change = Callable[[dict[str, Any], dict[str, Any]], object]
"""Changes a CRD: gets the whole, and the fields of its first version."""

BREAKING: dict[str, tuple[Change, str]] = {
    "scope": (lambda whole, f: whole["spec"].update(scope="Cluster"), "the scope changed from Namespaced to Cluster"),
    "version-removed": (lambda whole, f: whole["spec"]["versions"].pop(), "the version v2 was removed"),
    "field-required": (
        lambda whole, f: whole["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].update(
            required=["name", "mode"]
        ),
        "v1.spec.mode: the field has become required",
    ),
    "field-removed": (lambda whole, f: f.pop("free"), "v1.spec.free: the field was removed"),
    "type-changed": (
        lambda whole, f: f["free"].update(type="string"),
        "v1.spec.free: the type changed from integer to string",
    ),
    "default-added": (lambda whole, f: f["free"].update(default=0), "v1.spec.free: a default was added"),
    "default-changed": (
        lambda whole, f: f["mode"].update(default="Manual"),
        "v1.spec.mode: the default changed from 'Auto' to 'Manual'",
    ),
    "default-removed": (lambda whole, f: f["mode"].pop("default"), "v1.spec.mode: the default was removed"),
    "enum-added": (lambda whole, f: f["free"].update(enum=[1]), "v1.spec.free: values were restricted to [1]"),
    "enum-value-removed": (
        lambda whole, f: f["mode"].update(enum=["Auto"]),
        "v1.spec.mode: the value 'Manual' is not allowed any more",
    ),
    "minimum-raised": (
        lambda whole, f: f["count"].update(minimum=2),
        "v1.spec.count: the bound minimum became tighter, from 1 to 2",
    ),
    "maximum-lowered": (
        lambda whole, f: f["count"].update(maximum=9),
        "v1.spec.count: the bound maximum became tighter, from 10 to 9",
    ),
    "bound-added": (lambda whole, f: f["free"].update(maximum=5), "v1.spec.free: the bound maximum 5 was added"),
    "text-shortened": (
        lambda whole, f: f["name"].update(maxLength=20),
        "v1.spec.name: the bound maxLength became tighter, from 63 to 20",
    ),
    "list-shortened": (
        lambda whole, f: f["list"].update(maxItems=2),
        "v1.spec.list: the bound maxItems became tighter, from 8 to 2",
    ),
    "inside-a-list": (
        lambda whole, f: f["list"]["items"].update(maxLength=5),
        "v1.spec.list[]: the bound maxLength became tighter, from 10 to 5",
    ),
    "map-narrowed": (
        lambda whole, f: f["map"].update(maxProperties=1),
        "v1.spec.map: the bound maxProperties became tighter, from 4 to 1",
    ),
    "inside-a-map": (
        lambda whole, f: f["map"]["additionalProperties"].update(type="integer"),
        "v1.spec.map{}: the type changed from string to integer",
    ),
}
SAFE: dict[str, Change] = {
    "nothing": lambda whole, f: None,
    "an-optional-field-with-a-default": lambda whole, f: f.update(new={"type": "string", "default": "a"}),
    "one-more-value": lambda whole, f: f["mode"].update(enum=["Auto", "Manual", "DryRun"]),
    "values-set-free": lambda whole, f: f["mode"].pop("enum"),
    "wider-bounds": lambda whole, f: f["count"].update(minimum=0, maximum=99),
    "a-bound-less": lambda whole, f: f["count"].pop("maximum"),
    "not-required-any-more": lambda whole, f: whole["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
        "spec"
    ].pop("required"),
    "one-more-version": lambda whole, f: whole["spec"]["versions"].append({"name": "v3", "schema": {}}),
    "another-description": lambda whole, f: f["free"].update(description="A number."),
}


def changed(change: Change) -> dict[str, Any]:
    new = definition()
    change(new, root(new)["properties"]["spec"]["properties"])
    return new


@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_somebody_is_found_and_named(name: str):
    change, sentence = BREAKING[name]
    assert upgrade_problems(definition(), changed(change)) == [sentence]


@pytest.mark.parametrize("name", SAFE)
def test_a_change_that_breaks_nobody_is_let_through(name: str):
    assert upgrade_problems(definition(), changed(SAFE[name])) == []
