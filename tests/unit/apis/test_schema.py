"""The CRDs: structural, bounded, described, and with the defaults of the types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from tests.specs import SPECS
from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.apis.meta import ApiType, patterned
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.schema import LIST_TYPE, RULES, Schema, crd, root_schema, structural_schema


def nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


NODES = [
    node
    for kind in KINDS
    for part in ("spec", "status")
    for node in nodes(root_schema(kind)["properties"][part], f"{kind.kind}.{part}")
]
FIELDS = [(path, node) for path, node in NODES if not path.endswith("[]") and path.count(".") > 1]


def ids(rows: list[tuple[str, Schema]]) -> list[str]:
    return [path for path, _ in rows]


def defaulted(schema: Schema, value: Any) -> Any:
    """What the API server makes of a value: absent fields get their defaults, from the outside to the inside."""
    if isinstance(value, dict):
        fields = schema["properties"]
        filled = {name: field["default"] for name, field in fields.items() if "default" in field} | value
        return {name: defaulted(fields[name], content) for name, content in filled.items()}
    if isinstance(value, list):
        return [defaulted(schema["items"], item) for item in value]
    return value


@pytest.mark.parametrize(("path", "node"), FIELDS, ids=ids(FIELDS))
def test_every_field_is_described_in_at_least_40_characters(path: str, node: Schema):
    assert len(node.get("description", "")) >= 40


@pytest.mark.parametrize(("path", "node"), NODES, ids=ids(NODES))
def test_every_text_and_every_list_is_bounded(path: str, node: Schema):
    if node["type"] == "string":
        assert "maxLength" in node or "enum" in node
    if node["type"] == "array":
        assert "maxItems" in node
        assert node[LIST_TYPE] in ("atomic", "set", "map")


@pytest.mark.parametrize(("path", "node"), NODES, ids=ids(NODES))
def test_nothing_is_left_open(path: str, node: Schema):
    loose = {
        "x-kubernetes-preserve-unknown-fields",
        "nullable",
        "anyOf",
        "oneOf",
        "$ref",
        "title",
    }
    assert not loose & set(node)
    assert "additionalProperties" not in node or {"maxLength"} <= set(node["additionalProperties"])


@pytest.mark.parametrize(("path", "node"), NODES, ids=ids(NODES))
def test_what_is_refused_is_refused_in_words(path: str, node: Schema):
    assert "pattern" not in node, "a refused pattern shows a regular expression: give it a message"
    assert all(len(rule["message"]) >= 20 for rule in node.get(RULES, []))


OBJECTS = [(path, node) for path, node in NODES if node["type"] == "object"]


@pytest.mark.parametrize(("path", "node"), OBJECTS, ids=ids(OBJECTS))
def test_an_object_that_is_filled_in_by_default_has_no_rule_of_its_own(path: str, node: Schema):
    """The API server tries such a rule on `{}`, before the defaults of the fields, and refuses the whole CRD."""
    assert "default" not in node or (node["default"] == {} and RULES not in node and "required" not in node)


STATUS_NODES = [row for row in NODES if row[0].split(".")[1] == "status"]


@pytest.mark.parametrize(("path", "node"), STATUS_NODES, ids=ids(STATUS_NODES))
def test_a_status_is_neither_judged_nor_filled_in(path: str, node: Schema):
    assert not {"default", RULES} & set(node)


FILLED_IN = [(path, node) for path, node in FIELDS if node.get("default", {}) != {}]


@pytest.mark.parametrize(("path", "node"), FILLED_IN, ids=ids(FILLED_IN))
def test_a_description_names_the_default_as_the_api_server_shows_it(path: str, node: Schema):
    default = node["default"]
    text = f"[{', '.join(default)}]" if isinstance(default, list) else json.dumps(default).strip('"')
    assert re.search(rf"Default: {re.escape(text)}(\.|$)", node["description"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_api_server_fills_in_what_the_types_fill_in(kind):
    schema = root_schema(kind)["properties"]["spec"]
    minimal = SPECS[kind.kind]
    assert defaulted(schema, minimal) == kind.spec.model_validate(minimal).to_wire()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_kubectl_columns_read_fields_that_exist(kind):
    known = {path.removeprefix(kind.kind).replace("[]", "") for path, _ in NODES if path.startswith(kind.kind)}
    for column in kind.columns:
        path = re.sub(r"\[\?\(.*?\)\]", "", column.path)
        assert path in known or path == ".metadata.creationTimestamp"
    assert set(kind.selectable) <= known


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_field_that_may_lie_in_the_future_is_no_date_column(kind):
    """Kubectl prints `<invalid>` for the age of a moment that is still to come."""
    assert not [column.name for column in kind.columns if column.type == "date" and "next" in column.path.lower()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_crd_has_all_that_kubectl_and_controllers_rely_on(kind):
    definition = crd(kind)
    names, (version,) = definition["spec"]["names"], definition["spec"]["versions"]
    assert definition["metadata"]["name"] == f"{names['plural']}.{definition['spec']['group']}"
    assert names["categories"] == ["recovery"]
    assert version["subresources"] == {"status": {}}
    assert version["schema"]["openAPIV3Schema"]["required"] == ["spec"]


@pytest.mark.parametrize(
    "types", [CircuitBreakerSpec, RecoveryPolicySpec, RecoveryRunSpec], ids=lambda types: types.__name__
)
def test_the_same_types_always_give_the_same_schema(types):
    assert repr(structural_schema(types)) == repr(structural_schema(types))


class Either(ApiType):
    """A type that no structural schema can say."""

    value: int | str = Field(description="A number or a text: not to be had in a structural schema.")


def test_a_field_of_several_types_is_refused():
    with pytest.raises(ValueError, match="no alternatives"):
        structural_schema(Either)


class Spoken(ApiType):
    """A type whose text must match a pattern."""

    code: Annotated[str, patterned(r"^[A-Z]\d$", "must be a letter and a digit, such as B7", max_length=2)] = Field(
        description="A letter and a digit. Example: B7."
    )


def test_a_pattern_with_a_sentence_becomes_a_rule_with_that_sentence():
    code = structural_schema(Spoken)["properties"]["code"]
    assert code[RULES] == [
        {"rule": r"self.matches(r'^[A-Z]\d$')", "message": "must be a letter and a digit, such as B7"}
    ]
