"""Every alert can be acted on: it says what is wrong with what, and has a page that says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
RUNBOOKS = PROJECT / "docs/runbooks"
GROUPS: dict[str, list[dict[str, Any]]] = {
    group["name"]: group["rules"]
    for group in yaml.safe_load((PROJECT / "helm/ultra-recovery/files/rules.yaml").read_text())["groups"]
}
ALERTS = [rule for rules in GROUPS.values() for rule in rules]
SECTIONS = ("Symptom", "Metric", "Action", "Verification")
SERIES = re.compile(r"\b(?:recovery|leader_election)_\w+")


def name_of(rule: dict[str, Any]) -> str:
    return str(rule["alert"])


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_an_alert_has_all_that_somebody_who_is_woken_up_wants_to_know(rule: dict[str, Any]):
    assert rule["labels"]["severity"] in ("critical", "error", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
    assert rule["annotations"]["summary"].endswith(".")


@pytest.mark.parametrize("rule", GROUPS["ultra-recovery.services"], ids=name_of)
def test_an_alert_on_an_object_names_it(rule: dict[str, Any]):
    text = rule["annotations"]["description"]
    assert "{{ $labels.namespace }}/{{ $labels." in " ".join(text.split())


@pytest.mark.parametrize("rule", ALERTS, ids=name_of)
def test_the_page_of_an_alert_has_its_sections_each_with_text(rule: dict[str, Any]):
    text = (RUNBOOKS / f"{rule['alert']}.md").read_text()
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == SECTIONS
    assert all(len(part.strip()) > 40 for part in parts[2::2])
    assert f"Severity: {rule['labels']['severity']}." in parts[0]
    assert set(SERIES.findall(rule["expr"])) <= set(SERIES.findall(text))


def test_there_is_no_page_of_an_alert_that_is_gone_and_the_list_has_all():
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {rule["alert"] for rule in ALERTS}
    listed = (RUNBOOKS / "README.md").read_text()
    for rule in ALERTS:
        row = f"| {rule['labels']['severity']} | {rule['annotations']['summary']} |"
        assert f"| [{rule['alert']}]({rule['alert']}.md) {row}" in listed
