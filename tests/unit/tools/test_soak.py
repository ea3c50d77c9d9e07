"""What the soak makes of what it has seen."""

from __future__ import annotations

import pytest

from benchmarks.soak import evicted, shown, slope
from tests.matrix.invariants import Evidence, evictions_happen_once

LINES = [
    pytest.param([], 0.0, id="nothing"),
    pytest.param([(0.0, 90.0)], 0.0, id="one sample"),
    pytest.param([(0.0, 90.0), (30.0, 90.0), (60.0, 90.0)], 0.0, id="flat"),
    pytest.param([(0.0, 90.0), (30.0, 91.0), (60.0, 92.0)], 2.0, id="two megabytes an hour"),
    pytest.param([(0.0, 92.0), (60.0, 90.0)], -2.0, id="falling"),
]


@pytest.mark.parametrize(("samples", "hourly"), LINES)
def test_the_slope_is_in_megabytes_an_hour(samples: list[tuple[float, float]], hourly: float):
    assert slope(samples) == pytest.approx(hourly)


def test_memory_is_shown_each_ten_minutes_and_at_the_end():
    assert list(shown([(minute / 6, float(minute)) for minute in range(126)])) == [0.0, 60.0, 120.0, 125.0]
    assert list(shown([])) == []


def test_effects_of_runs_are_judged_by_the_invariants_of_the_crash_matrix():
    entries = [evicted("a"), evicted("a"), evicted("b"), evicted("")]
    assert list(evictions_happen_once(Evidence(entries=entries, hung=frozenset({"a"})))) == [
        "pod a was evicted 2 times",
        "pod b was evicted although it was healthy",
        "1 evictions without a UID",
    ]
