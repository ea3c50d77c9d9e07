"""Generated files are what the types say, and documented lists are what the code says."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from ultra_recovery.adapters.metric_series import SERIES
from ultra_recovery.adapters.rest_metrics import REST_SERIES
from ultra_recovery.apis.reason_groups import REASON_GROUPS, grouped_reasons
from ultra_recovery.apis.reasons import CONDITION_SENTENCES, REASON_SENTENCES, ConditionType, Reason
from ultra_recovery.core.gate_table import RUN_GATE_REASONS, STEP_GATE_FACTS
from ultra_recovery.core.run_gates import RUN_GATES
from ultra_recovery.core.step_gates import STEP_GATES
from ultra_recovery.generate import main
from ultra_recovery.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]


def test_the_crds_and_the_reference_pages_are_up_to_date(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(PROJECT)
    assert main(["--check"]) == 0


def test_every_reason_and_condition_has_one_sentence():
    assert set(REASON_SENTENCES) == set(Reason)
    assert set(CONDITION_SENTENCES) == set(ConditionType)
    assert all(text.endswith(".") for text in (*REASON_SENTENCES.values(), *CONDITION_SENTENCES.values()))


def test_every_reason_is_about_one_thing():
    """A new reason wants a place in apis/reason_groups.py, or people find it under "Others"."""
    assert grouped_reasons() == REASON_GROUPS
    assert sorted(reason for reasons in REASON_GROUPS.values() for reason in reasons) == sorted(Reason)


def test_reasons_are_written_as_kubernetes_writes_them():
    assert all(reason.value.isalnum() and reason.value[0].isupper() for reason in Reason)


@pytest.mark.parametrize("series", [*SERIES, *REST_SERIES], ids=lambda series: series.name)
def test_every_series_is_documented_with_its_labels(series):
    page = (PROJECT / "docs/reference/metrics.md").read_text()
    assert f"| `{series.name}` | {series.type} | {', '.join(series.labels)} | {series.help} |" in page


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_documented_with_what_it_means(field):
    name = "KUBECONFIG" if field.name == "kubeconfig" else f"ULTRA_{field.name.upper()}"
    rows = [line for line in (PROJECT / "docs/reference/settings.md").read_text().splitlines() if f"`{name}`" in line]
    assert rows
    assert all(len(row.split("|")[3].strip()) > 10 for row in rows)


def test_the_page_of_the_gates_has_every_gate_in_the_order_in_which_it_is_asked():
    assert tuple(RUN_GATE_REASONS) == RUN_GATES
    assert tuple(STEP_GATE_FACTS) == STEP_GATES
    page = (PROJECT / "docs/reference/gates.md").read_text()
    first = [reasons[0] for reasons in RUN_GATE_REASONS.values()] + [
        facts.reasons[0] for facts in STEP_GATE_FACTS.values()
    ]
    places = [page.index(f"| `{reason}`") for reason in first]
    assert places == sorted(places)
