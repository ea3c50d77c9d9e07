"""Windows: which calls count, and when their rates decide."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.breaker_scene import CLOSED, METRICS, NOW, OPEN, at, calls, happening, result, snapshot, spec
from ultra_recovery.apis.breaker_rules import MAX_CALLS, WindowSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker import step
from ultra_recovery.core.breaker_state import Event
from ultra_recovery.core.breaker_window import (
    explain,
    failure_rate_reached,
    figures,
    kept,
    record_call,
    slow_call_rate_reached,
)
from ultra_recovery.core.probe import Outcome


def window(size: int | None = 10, **fields: Any) -> WindowSpec:
    kind = {"count": {"size": size}} if size else {"time": {"duration": "10s"}}
    return WindowSpec.model_validate({**kind, "minimumCalls": 4, "slowCall": {}, **fields})


@pytest.mark.parametrize(
    ("text", "fields", "by_failures", "by_slowness"),
    [
        pytest.param("FF..", {}, True, False, id="exactly the threshold"),
        pytest.param("F....", {}, False, False, id="below it"),
        pytest.param("FFF", {}, False, False, id="too few calls, all of them failed"),
        pytest.param("sss", {}, False, False, id="too few calls, all of them slow"),
        pytest.param("sSsS", {}, True, True, id="slow successes and slow failures count as slow"),
        pytest.param("sss.", {}, False, False, id="one fast call"),
        pytest.param("ss..", {"slowCall": {"ratePercent": 50}}, False, True, id="half of them are too many"),
        pytest.param("ssss", {"slowCall": None}, False, False, id="slowness does not matter"),
        pytest.param("ssss", {"slowCall": {"duration": "10s"}}, False, False, id="as long as the limit is not slow"),
        pytest.param("ssss", {"slowCall": {"duration": "9s999ms"}}, False, True, id="longer than the limit is slow"),
        pytest.param("FFFF......", {"count": {"size": 10}}, False, False, id="old failures weigh less"),
        pytest.param("FFFF.", {"count": {"size": 4}}, True, False, id="only the last calls count"),
        pytest.param("F.", {"count": {"size": 2}, "minimumCalls": 20}, True, False, id="the minimum fits the size"),
    ],
)
def test_rates_decide(text: str, fields: dict[str, Any], by_failures: bool, by_slowness: bool):
    rules = window(**fields)
    found = figures(calls(text), rules, NOW)
    assert failure_rate_reached(found, rules) is by_failures
    assert slow_call_rate_reached(found, rules) is by_slowness


def test_a_time_window_forgets_by_age_and_has_its_minimum_as_it_is():
    rules = window(None, minimumCalls=9)
    found = figures(calls("F" * 30), rules, NOW)
    assert (found.calls, found.decided) == (9, True)
    assert not figures(calls("F" * 30), window(None, minimumCalls=10), NOW).decided
    assert figures(calls("F" * 30), rules, at(60)).calls == 0


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.NEUTRAL], ids=str)
def test_errors_and_neutral_results_are_no_calls(outcome: Outcome):
    assert record_call(calls("F."), result(outcome), window()) == calls("F.")


def test_without_a_window_nothing_is_kept():
    assert record_call(calls("F."), result(Outcome.FAILURE), None) == ()
    found = figures(calls("FFFF"), None, NOW)
    assert not failure_rate_reached(found, None)
    assert not slow_call_rate_reached(found, None)


@given(st.integers(1, 800), st.integers(1, 3600))
def test_what_is_kept_is_bounded(count: int, seconds: int):
    rules = WindowSpec.model_validate({"time": {"duration": f"{seconds}s"}})
    found = record_call(calls("." * count, every=0.01), result(Outcome.SUCCESS), rules)
    assert len(found) <= MAX_CALLS
    assert all(call.ended_at > NOW - timedelta(seconds=seconds) for call in found)


def test_a_rate_is_told_with_its_figures():
    rules = window(slowCall={"duration": "2s", "ratePercent": 70})
    found = figures(calls("FSss."), rules, NOW)
    assert explain(found, rules, slow=False) == "2 of the last 5 calls failed: 40 %, the limit is 50 %"
    assert explain(found, rules, slow=True) == "3 of the last 5 calls took longer than 2s: 60 %, the limit is 70 %"


def test_a_changed_slow_limit_judges_the_calls_that_are_there():
    before = snapshot(CLOSED, calls=calls("...", took=2.0))
    strict = spec(window={"count": {}, "minimumCalls": 4, "slowCall": {"duration": "1s"}})
    after = step(before, happening(Event.SUCCESS, took=2.0), strict, NOW).after
    assert (after.state, after.reason) == (OPEN, Reason.SLOW_CALL_RATE_REACHED)


def test_a_smaller_window_keeps_the_latest_calls_and_another_kind_keeps_what_is_young_enough():
    assert kept(calls("FF.."), window(2), NOW) == calls("FF..")[2:]
    assert kept(calls("F" * 30), window(None), NOW) == calls("F" * 30)[-9:]


def test_the_window_is_fresh_after_a_transition():
    rules = spec(window={"count": {"size": 4}, "minimumCalls": 4}, successThreshold=1)
    now = step(snapshot(CLOSED, calls=calls("FFF")), happening(Event.FAILURE), rules, NOW).after
    assert (now.state, now.calls) == (OPEN, ())
    now = step(now, happening(Event.SUCCESS, 100, epoch=now.epoch), rules, at(100)).after
    now = step(now, happening(Event.SUCCESS, 101, epoch=now.epoch), rules, at(101)).after
    assert (now.state, now.calls) == (CLOSED, ())


def test_a_shadow_has_a_window_of_its_own():
    rules, now = spec(window={"count": {"size": 4}, "minimumCalls": 4}), snapshot(CLOSED, METRICS)
    for event in (Event.FAILURE, Event.SUCCESS, Event.FAILURE, Event.SUCCESS):
        now = step(now, happening(event), rules, NOW).after
    assert (now.calls, now.shadow.state, now.shadow.reason) == ((), OPEN, Reason.FAILURE_RATE_REACHED)
