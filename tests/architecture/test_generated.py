"""Generated files are what the types say, and documented lists are what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ultra_recovery.adapters.metrics import SERIES
from ultra_recovery.adapters.rest_metrics import REST_SERIES
from ultra_recovery.apis.reasons import CONDITION_SENTENCES, REASON_SENTENCES, ConditionType, Reason
from ultra_recovery.generate import main

PROJECT = Path(__file__).resolve().parents[2]


def test_the_crds_and_the_reference_pages_are_up_to_date(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(PROJECT)
    assert main(["--check"]) == 0


def test_every_reason_and_condition_has_one_sentence():
    assert set(REASON_SENTENCES) == set(Reason)
    assert set(CONDITION_SENTENCES) == set(ConditionType)
    assert all(text.endswith(".") for text in (*REASON_SENTENCES.values(), *CONDITION_SENTENCES.values()))


def test_reasons_are_written_as_kubernetes_writes_them():
    assert all(reason.value.isalnum() and reason.value[0].isupper() for reason in Reason)


@pytest.mark.parametrize("series", [*SERIES, *REST_SERIES], ids=lambda series: series.name)
def test_every_series_is_documented_with_its_labels(series):
    page = (PROJECT / "docs/reference/operator.md").read_text()
    assert f"| `{series.name}` | {', '.join(series.labels)}".rstrip() in page
