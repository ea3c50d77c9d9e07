"""What the API server says to manifests: wrong ones are refused with the field and words, right ones get defaults."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.manifests import circuit_breakers, databases, ladders, recovery_policies, recovery_runs
from tests.integration.manifests.rows import API_VERSION, Bad, Good, changed
from tests.specs import SPECS
from ultra_recovery.apis.kinds import KINDS

KINDS_BY_NAME = {kind.kind: kind for kind in KINDS}
TABLES = (circuit_breakers, databases, recovery_policies, ladders, recovery_runs)
BAD = [row for table in TABLES for row in table.BAD]
GOOD = [row for table in TABLES for row in table.GOOD]


def kubectl(*words: str, document: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    assert "KUBECONFIG" in os.environ, "KUBECONFIG is not set: run `make test`"
    text = json.dumps(document) if document else None
    return subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, timeout=60, check=False)


def done(process: subprocess.CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace of these tests."""
    name = f"manifests-{uuid4().hex[:8]}"
    done(kubectl("create", "namespace", name))
    yield name
    done(kubectl("delete", "namespace", name, "--wait=false"))


def submit(namespace: str, document: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    how = ("--dry-run=server", "--validate=strict", "-o", "json", "-f", "-")
    return kubectl("create", "-n", namespace, *how, document=document)


def ids(rows: list[Any]) -> list[str]:
    return [f"{KINDS_BY_NAME[row.kind].short_name} {row.path} {str(row.value)[:40]}" for row in rows]


@pytest.mark.parametrize("row", BAD, ids=ids(BAD))
@pytest.mark.failure(
    of="Input",
    what="A manifest is wrong",
    see="`kubectl apply` refuses it with the field and what to do",
    bound="at once",
)
def test_a_wrong_manifest_is_refused_with_the_field_and_what_to_do(namespace: str, row: Bad) -> None:
    answer = submit(namespace, changed(row.kind, row.path, row.value))
    assert answer.returncode != 0
    if row.words == "unknown field":
        assert f'unknown field "{row.field}"' in answer.stderr
        return
    findings = re.split(r"is invalid: |\n\* ", answer.stderr)
    assert any(finding.startswith(f"{row.field}: ") and row.words in finding for finding in findings), answer.stderr
    assert "type conversion error" not in answer.stderr
    assert "no such key" not in answer.stderr


@pytest.mark.parametrize("row", GOOD, ids=ids(GOOD))
def test_a_manifest_at_the_edge_of_what_is_right_is_accepted(namespace: str, row: Good) -> None:
    done(submit(namespace, changed(row.kind, row.path, row.value)))


@pytest.mark.parametrize("kind", SPECS)
def test_the_answer_shows_the_defaults_of_the_types(namespace: str, kind: str) -> None:
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "row"}, "spec": SPECS[kind]}
    stored = json.loads(done(submit(namespace, document)))["spec"]
    assert stored == KINDS_BY_NAME[kind].spec.model_validate(SPECS[kind]).to_wire()


@pytest.mark.parametrize("kind", SPECS)
def test_an_object_without_a_spec_is_refused(namespace: str, kind: str) -> None:
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "row"}}
    assert "spec: Required value" in submit(namespace, document).stderr


def test_several_wrong_durations_are_named_one_by_one_and_nothing_else_is_said(namespace: str) -> None:
    document = changed("RecoveryPolicy", "verify", {"healthyFor": "x", "within": "y"})
    document["spec"]["ladder"][0]["timeout"] = "z"
    answer = submit(namespace, document).stderr
    assert answer.count("must be a duration") == 3
    assert answer.count("Invalid value") == 3


@pytest.fixture
def run(namespace: str) -> Iterator[str]:
    """A stored RecoveryRun."""
    document = changed("RecoveryRun", "sequence", 1) | {"metadata": {"name": "web-1-1"}}
    done(kubectl("create", "-n", namespace, "-f", "-", document=document))
    yield "web-1-1"
    done(kubectl("delete", "-n", namespace, "rr", "web-1-1"))


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        pytest.param({"spec": {"attempt": 2}}, "create another run instead", id="a field is changed"),
        pytest.param({"spec": {"expiresAfter": "1h"}}, "create another run instead", id="a default is changed"),
        pytest.param({"spec": {"triggers": ["pods", "more"]}}, "create another run instead", id="a list grows"),
        pytest.param({"spec": None}, "spec: Required value", id="the spec is removed"),
    ],
)
def test_the_spec_of_a_run_never_changes(namespace: str, run: str, patch: dict[str, Any], words: str) -> None:
    how = ("--type=merge", "--dry-run=server", "-p", json.dumps(patch))
    assert words in kubectl("patch", "-n", namespace, "rr", run, *how).stderr


def test_labels_of_a_run_may_change(namespace: str, run: str) -> None:
    done(kubectl("label", "-n", namespace, "rr", run, "team=shop", "--dry-run=server"))


STATUSES = [
    pytest.param({"status": {"phase": "Asleep"}}, "supported values", id="an unknown phase"),
    pytest.param({"status": {"startedAt": "yesterday"}}, "must be of type date-time", id="no time"),
    pytest.param({"status": {"message": "x" * 1025}}, "may not be more than 1024", id="a message that is too long"),
]


@pytest.mark.parametrize(("patch", "words"), STATUSES)
def test_a_status_keeps_its_types_and_bounds(namespace: str, run: str, patch: dict[str, Any], words: str) -> None:
    how = ("--subresource=status", "--type=merge", "--dry-run=server", "-p", json.dumps(patch))
    assert words in kubectl("patch", "-n", namespace, "rr", run, *how).stderr


def test_a_plan_in_a_status_is_neither_judged_nor_filled_in(namespace: str, run: str) -> None:
    """A run keeps the plan it had, whatever the rules and defaults of a newer version are."""
    plan = {
        "policyGeneration": 1,
        "targetRef": {"kind": "Deployment", "name": "web"},
        "triggers": [{"name": "pods"}],
        "ladder": [{"name": "restart", "action": {}}],
        "verify": {"healthyFor": "9h"},
        "limits": {},
    }
    how = ("--subresource=status", "--type=merge", "--dry-run=server", "-o", "json")
    patch = json.dumps({"status": {"plan": plan}})
    stored = json.loads(done(kubectl("patch", "-n", namespace, "rr", run, *how, "-p", patch)))
    assert stored["status"]["plan"] == plan


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_kubectl_knows_the_short_name_the_category_and_the_columns(namespace: str, kind) -> None:
    done(kubectl("get", "-n", namespace, "recovery"))
    document = {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": "row"}, "spec": SPECS[kind.kind]}
    done(kubectl("create", "-n", namespace, "-f", "-", document=document))
    head, row = done(kubectl("get", "-n", namespace, kind.short_name, "row")).splitlines()
    assert head.split() == ["NAME", *(column.name.upper() for column in kind.columns if not column.wide)]
    assert len(head) <= 120
    assert len(row) <= 120
    wide = done(kubectl("get", "-n", namespace, kind.short_name, "row", "-o", "wide")).splitlines()[0]
    assert wide.split() == ["NAME", *(column.name.upper() for column in kind.columns)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_kubectl_explains_every_field_of_the_spec(namespace: str, kind) -> None:
    page = done(kubectl("explain", f"{kind.kind.lower()}.spec", "--recursive"))
    assert all(name in page for name in kind.spec.model_json_schema(by_alias=True)["properties"])
