"""Rights: each with the feature that needs it, none too wide, and none for the whole cluster where that is promised."""

from __future__ import annotations

import base64
import copy
import json
import re

import pytest
import yaml

from tests.chart.pairs import Row
from tests.chart.rendering import CHART, PROJECT, Document, containers, environment, helm_template, named, render
from tests.chart.toggles import ROWS, name_of, values_of
from ultra_recovery.rest.auth.token_file import TokenList

NEVER = {"escalate", "bind", "impersonate", "*"}
RULE = re.compile(r"^ *- apiGroups:")


def roles(documents: list[Document]) -> list[Document]:
    return [item for item in documents if item["kind"] in ("Role", "ClusterRole")]


def granted(role: Document) -> set[tuple[str, str]]:
    return {(verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_no_right_is_a_wildcard_or_on_secrets_or_into_pods(row: Row):
    for role in roles(render(values_of(row))):
        for verb, resource in granted(role):
            assert verb not in NEVER
            assert resource not in ("*", "secrets", "pods/exec", "pods/portforward", "pods/attach")
        assert all("*" not in rule["apiGroups"] for rule in role["rules"])


def test_every_rule_says_which_feature_needs_it():
    text = helm_template({"authorization": {"checkCreator": True}, "api": {"mode": "separate"}})
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if RULE.match(line):
            # Rules of one feature follow each other under one comment.
            before = number - 1
            while not lines[before].strip().startswith("#"):
                assert lines[before].strip() != "rules:", f"a rule without a comment: {lines[number + 1]}"
                before -= 1
                assert number - before <= 4, f"a rule without a comment: {lines[number + 1]}"


@pytest.mark.parametrize("row", [row for row in ROWS if row["scope"] == "namespace"], ids=name_of)
def test_the_scope_of_a_namespace_has_no_right_outside_of_its_namespaces(row: Row):
    documents = render(values_of(row))
    assert not [item for item in documents if item["kind"].startswith("ClusterRole")]
    watched = {"recovery"} | ({"shop", "billing"} if row["watch"] == "named" else set())
    made = {item["metadata"]["namespace"] for item in roles(documents) if "drill" not in item["metadata"]["name"]}
    assert made == (watched if row["rbac"] != "none" else set())
    found = containers(documents)
    for name in ("operator", "api"):
        variables = environment(found[name])
        assert variables["ULTRA_SCOPE"] == "namespace"
        assert set(variables["ULTRA_WATCH_NAMESPACES"].split(",")) == watched
        assert "ULTRA_API_AUDIENCE" not in variables


def test_the_separate_api_has_only_what_it_needs():
    documents = render({"api": {"mode": "separate"}})
    verbs = granted(named(documents, "ClusterRole", "ultra-recovery-api"))
    assert ("create", "pods/eviction") not in verbs
    assert ("create", "jobs") not in verbs
    assert ("create", "leases") not in verbs
    assert not {resource for _, resource in verbs} & {"pods", "services", "endpointslices", "events", "namespaces"}
    operator = granted(named(documents, "ClusterRole"))
    assert not {resource for _, resource in operator} & {"tokenreviews", "subjectaccessreviews"}
    accounts = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]["serviceAccountName"]
        for item in documents
        if item["kind"] == "Deployment"
    }
    assert accounts == {"ultra-recovery": "ultra-recovery", "ultra-recovery-api": "ultra-recovery-api"}


def test_a_sidecar_has_what_the_operator_and_the_separate_api_have_together():
    separate = render({"api": {"mode": "separate"}})
    parts = granted(named(separate, "ClusterRole")) | granted(named(separate, "ClusterRole", "ultra-recovery-api"))
    assert granted(named(render(), "ClusterRole")) == parts


@pytest.mark.parametrize(
    ("scope", "resource"), [("cluster", "subjectaccessreviews"), ("namespace", "localsubjectaccessreviews")]
)
def test_creators_are_checked_by_a_review_that_fits_the_scope(scope: str, resource: str):
    without = {"scope": scope, "api": {"audience": ""}}
    kind = "ClusterRole" if scope == "cluster" else "Role"
    assert not {name for _, name in granted(named(render(without), kind))} & {resource}
    checked = render({**without, "authorization": {"checkCreator": True}})
    assert ("create", resource) in granted(named(checked, kind))
    assert environment(containers(checked)["operator"])["ULTRA_CHECK_CREATOR"] == "true"


@pytest.mark.parametrize("may_edit", [False, True])
def test_whoever_may_edit_starts_and_approves_runs_only_when_asked_for(may_edit: bool):
    rights: dict[str, set[tuple[str, str]]] = {"view": set(), "edit": set(), "admin": set()}
    for role in roles(render({"rbac": {"editMayStartRuns": may_edit}})):
        for name in rights:
            if role["metadata"]["labels"].get(f"rbac.authorization.k8s.io/aggregate-to-{name}") == "true":
                rights[name] |= granted(role)
    assert rights["view"] == {
        (verb, name)
        for verb in ("get", "list", "watch")
        for name in ("circuitbreakers", "recoverypolicies", "recoveryruns")
    }
    assert (("create", "recoveryruns") in rights["edit"]) is may_edit
    assert (("patch", "recoveryruns") in rights["edit"]) is may_edit
    assert {("create", "recoverypolicies"), ("patch", "circuitbreakers")} <= rights["edit"]
    assert {("create", "recoveryruns"), ("patch", "recoveryruns")} <= rights["admin"]
    assert not [name for verbs in rights.values() for _, name in verbs if name.endswith("/status")]


def test_generated_tokens_are_a_file_that_the_api_reads():
    generate = [
        {"name": "admin", "scopes": ["read", "force"], "namespaces": ["*"]},
        {"name": "shop", "scopes": ["report"], "namespaces": ["shop"]},
    ]
    data = named(render({"api": {"tokens": {"generate": generate}}}), "Secret", "ultra-recovery-api-tokens")["data"]
    assert set(data) == {"admin", "shop", "tokens.json"}
    entries = TokenList.model_validate_json(base64.b64decode(data["tokens.json"])).tokens
    assert [entry.name for entry in entries] == ["admin", "shop"]
    assert b"sha256" in base64.b64decode(data["tokens.json"])
    assert base64.b64decode(data["admin"]) not in base64.b64decode(data["tokens.json"])


def test_pods_see_digests_and_never_tokens():
    (volume,) = named(render(), "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["items"] == [{"key": "tokens.json", "path": "tokens.json"}]


@pytest.mark.parametrize("path", sorted((PROJECT / "crds").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_crds_of_the_chart_are_ours_and_stay(path):
    ours = yaml.safe_load(path.read_text())
    (found,) = [copy.deepcopy(item) for item in render() if item["metadata"]["name"] == ours["metadata"]["name"]]
    assert found["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
    assert ours["metadata"].pop("labels").items() <= found["metadata"].pop("labels").items()
    assert json.dumps(found, sort_keys=True) == json.dumps(ours, sort_keys=True)
    assert (CHART / "files/crds" / path.name).read_bytes() == path.read_bytes()
