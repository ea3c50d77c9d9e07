"""What the soak makes of what it has seen."""

from __future__ import annotations

import pytest

from benchmarks.soak import evicted
from benchmarks.trend import floor, shown, slope
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


def test_a_saw_tooth_that_comes_back_to_where_it_was_does_not_grow():
    teeth = [(number / 6, 90 + number % 24 / 8) for number in range(6 * 40)]
    assert slope(teeth) != pytest.approx(0, abs=0.01)
    assert slope(list(floor(teeth))) == pytest.approx(0)


def test_growth_below_a_saw_tooth_is_found():
    teeth = [(number / 6, 90 + number % 24 / 8 + number / 360 * 2) for number in range(6 * 40)]
    assert slope(list(floor(teeth))) == pytest.approx(2, rel=0.1)


def test_the_least_of_a_window_that_was_just_begun_says_nothing():
    assert [minute for minute, _ in floor([(minute / 2, 1.0) for minute in range(13)])] == [pytest.approx(2.25)]
