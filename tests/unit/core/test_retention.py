"""Which completed runs are deleted, and which are kept although the history is full."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs import NOW, run
from ultra_recovery.apis.policy_status import MAX_RECENT_RUNS
from ultra_recovery.apis.recovery_policy import Budget, History
from ultra_recovery.core.recent_runs import recent_runs
from ultra_recovery.core.retention import beyond_cap, expired_orphans, expired_runs

DAY = 24 * 3600.0
NOTHING = History(succeeded=0, failed=0, cancelled=0)
COOLDOWN = timedelta(minutes=5)
REPORT = {"cause": "Reported", "errorType": "CUSTOM_ERROR"}


def expired(runs, history=NOTHING, recent=None, budget=None, incident=None) -> list[str]:
    remembered = recent_runs([], runs, NOW) if recent is None else recent
    gone = expired_runs(runs, remembered, history, budget or Budget(), COOLDOWN, incident, NOW, timedelta(minutes=30))
    return [item.meta.key.name for item in gone]


@pytest.mark.parametrize(
    ("phases", "gone"),
    [
        pytest.param(["Succeeded"] * 4, ["r0", "r1"], id="succeeded: two are kept"),
        pytest.param(["Failed", "Error", "Inconclusive", "Failed"], ["r0"], id="failed: three of all kinds"),
        pytest.param(["Cancelled"] * 3, ["r0", "r1"], id="cancelled: one"),
        pytest.param(["Cancelled", "Succeeded", "Failed", "Succeeded"], [], id="each kind has its own number"),
        pytest.param(["Running", "Pending", "AwaitingApproval"], [], id="what goes on is kept"),
    ],
)
def test_the_newest_of_each_outcome_are_kept(phases, gone):
    runs = [run(f"r{index}", phase, created=9 * DAY - index) for index, phase in enumerate(phases)]
    assert expired(runs, History(succeeded=2, failed=3, cancelled=1)) == gone


def test_no_completed_run_is_kept_for_longer_than_the_ttl():
    runs = [run("old", created=3 * DAY, finished=2 * DAY), run("new", created=3 * DAY, finished=2 * DAY - 1)]
    assert expired(runs, History(ttl=timedelta(days=2))) == ["old"]


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        pytest.param(run("r", created=9 * DAY), False, id="nobody needs it"),
        pytest.param(run("r", created=3599, finished=400), True, id="a budget of an hour still counts it"),
        pytest.param(run("r", created=3600, finished=400), False, id="no budget counts it any more"),
        pytest.param(run("r", created=3599, finished=400, effects=0), False, id="no budget ever counted it"),
        pytest.param(run("r", created=9000, finished=299), True, id="a cooldown is measured from it"),
        pytest.param(run("r", created=9000, finished=300), False, id="the cooldown is over"),
        pytest.param(run("r", "Failed", created=9000, finished=299), False, id="failures start no cooldown"),
        pytest.param(run("r", created=9 * DAY, incident=7), True, id="an attempt of the open incident"),
        pytest.param(run("r", created=9 * DAY, incident=6), False, id="an attempt of a closed one"),
        pytest.param(run("r", created=DAY - 1, requestId="x"), True, id="somebody's request of today"),
        pytest.param(run("r", created=DAY, requestId="x"), False, id="somebody's request of yesterday"),
        pytest.param(run("r", "Cancelled", created=60, effects=0), False, id="ended a minute ago"),
        pytest.param(run("r", "Cancelled", created=59, effects=0), True, id="ended less than a minute ago"),
        pytest.param(run("r", "Cancelled", created=1799, effects=0, **REPORT), True, id="a report that counts"),
        pytest.param(run("r", "Cancelled", created=1800, effects=0, **REPORT), False, id="a report of too long ago"),
        pytest.param(replace(run("r", created=9 * DAY), spec=None), False, id="its spec cannot be read"),
    ],
)
def test_what_somebody_needs_is_kept(item, kept):
    assert expired([item], incident=7) == ([] if kept else ["r"])


def test_the_budget_of_the_policy_may_look_back_for_a_day():
    item = run("r", created=DAY - 1, finished=400)
    assert expired([item], budget=Budget(per=timedelta(hours=24))) == []
    assert expired([item], budget=Budget(per=timedelta(hours=23))) == ["r"]


def test_a_run_is_kept_until_the_policy_remembers_how_it_ended():
    item = run("r", created=9 * DAY)
    assert expired([item], recent=[]) == []
    assert expired([item], recent=recent_runs([], [run("r", "Running", created=9 * DAY)], NOW)) == []


def test_a_run_that_the_policy_has_forgotten_again_may_go():
    newer = [run(f"n{index}", created=DAY + index) for index in range(MAX_RECENT_RUNS)]
    assert expired([run("old", created=9 * DAY)], recent=recent_runs([], newer, NOW)) == ["old"]
    assert expired([run("old", created=9 * DAY)], recent=recent_runs([], newer[1:], NOW)) == []


def test_runs_without_a_policy_are_kept_for_the_ttl_alone():
    runs = [run("old", created=31 * DAY), run("new", created=29 * DAY), run("running", "Running", created=40 * DAY)]
    assert [item.meta.key.name for item in expired_orphans(runs, History().ttl, NOW)] == ["old"]


def test_a_namespace_keeps_a_bounded_number_of_completed_runs():
    runs = [run(f"r{index}", created=100 - index, incident=7) for index in range(5)]
    running = [run(f"x{index}", "Running", created=900) for index in range(9)]
    assert [item.meta.key.name for item in beyond_cap([*running, *runs], 3)] == ["r0", "r1"]
    assert beyond_cap(runs, 5) == []


phases = st.sampled_from(["Pending", "AwaitingApproval", "Running", "Succeeded", "Failed", "Cancelled", "Error"])


@given(
    st.lists(st.tuples(phases, st.floats(0, 60 * DAY), st.integers(0, 1)), max_size=40),
    st.builds(History, succeeded=st.integers(0, 3), failed=st.integers(0, 3), cancelled=st.integers(0, 3)),
)
def test_active_runs_and_those_of_the_budget_are_never_deleted(drawn, history):
    runs = [run(f"r{index}", phase, created=age, effects=effects) for index, (phase, age, effects) in enumerate(drawn)]
    gone = set(expired(runs, history))
    for item in runs:
        recent = item.meta.created_at is not None and item.meta.created_at > NOW - timedelta(hours=1)
        if not item.completed or (item.had_effect and recent):
            assert item.meta.key.name not in gone
