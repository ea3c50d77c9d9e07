"""What kstatus makes of recorded objects; the tests of the engine ask it about every status that is written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gitops.recorded import READINGS, document
from tests.kstatus import compute, judge


def seen(*conditions: tuple[str, str], generation: int = 2, observed: int = 2, **metadata: Any) -> dict[str, Any]:
    items = [
        {"type": kind, "status": status, "reason": "R", "message": "m", "observedGeneration": observed}
        for kind, status in conditions
    ]
    status = {"observedGeneration": observed, "conditions": items}
    return {"metadata": {"generation": generation, **metadata}, "status": status}


@pytest.mark.parametrize("name", READINGS)
def test_a_recorded_object_reads_as_it_should(name: str):
    assert compute(document(name)) == READINGS[name].kstatus
    judge(document(name))


@pytest.mark.parametrize(
    ("item", "result"),
    [
        pytest.param(seen(("Ready", "True")), "Current", id="enforced"),
        pytest.param(seen(("Ready", "True"), observed=1), "InProgress", id="changed"),
        pytest.param(seen(("Ready", "False"), ("Stalled", "True")), "Failed", id="stalled"),
        pytest.param(seen(("Ready", "False")), "InProgress", id="not-ready-and-nothing-says-for-how-long"),
        pytest.param(seen(("Ready", "Unknown")), "InProgress", id="unknown"),
        pytest.param(seen(("Ready", "False"), ("Reconciling", "True")), "InProgress", id="at-work"),
        pytest.param(seen(("Ready", "True"), deletionTimestamp="2026-01-01T00:00:00Z"), "Terminating", id="going"),
        pytest.param({"metadata": {"generation": 1}}, "Current", id="never-seen"),
    ],
)
def test_the_rules_are_those_of_kstatus(item: dict[str, Any], result: str):
    assert compute(item) == result


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(seen(("Ready", "False")), id="not-ready-without-stalled"),
        pytest.param(seen(("Ready", "True"), ("Stalled", "True")), id="ready-and-stalled"),
        pytest.param(seen(("CircuitOpen", "True")), id="without-ready"),
        pytest.param(seen(("Ready", "True"), ("Reconciling", "True")), id="in-progress-though-seen"),
        pytest.param(seen(("Ready", "True"), observed=3), id="ahead-of-its-generation"),
    ],
)
def test_a_status_that_would_mislead_is_noticed(item: dict[str, Any]):
    with pytest.raises(AssertionError):
        judge(item)
