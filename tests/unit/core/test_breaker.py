"""Every row of the breaker's table, and what holds whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker import TRANSITIONS, step
from ultra_recovery.core.breaker_state import Event, Happening, Snapshot, first_snapshot, open_duration
from ultra_recovery.core.errors import IllegalTransition
from ultra_recovery.core.probe import Outcome, ProbeResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = CircuitBreakerSpec.model_validate({"target": {"workload": {"kind": "Deployment", "name": "web"}}})
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
OUTCOMES = {
    Event.SUCCESS: Outcome.SUCCESS,
    Event.FAILURE: Outcome.FAILURE,
    Event.ERROR: Outcome.ERROR,
    Event.NEUTRAL: Outcome.NEUTRAL,
}


def snapshot(state: BreakerState, **changes) -> Snapshot:
    opened = {"trial_at": NOW + timedelta(seconds=60)} if state is OPEN else {}
    trial = {"half_open_deadline": NOW + timedelta(seconds=120)} if state is HALF_OPEN else {}
    return replace(Snapshot(state, 3, NOW, Reason.INITIAL), **{**opened, **trial, **changes})


def happening(event: Event, at: float = 0.0, epoch: int | None = 3, jitter: float = 0.0) -> Happening:
    outcome = OUTCOMES.get(event)
    moment = NOW + timedelta(seconds=at)
    result = ProbeResult(outcome, Reason.PROBE_FAILED, "said so", moment, moment) if outcome else None
    return Happening(event, epoch if result else None, result, jitter)


ROWS = [
    ("closed-success", CLOSED, {"failures": 4}, Event.SUCCESS, 0, CLOSED, {"failures": 0}),
    ("closed-4th-failure", CLOSED, {"failures": 3}, Event.FAILURE, 0, CLOSED, {"failures": 4}),
    ("closed-5th-failure", CLOSED, {"failures": 4}, Event.FAILURE, 0, OPEN, {"failures": 5}),
    ("open-failure", OPEN, {}, Event.FAILURE, 70, OPEN, {"failures": 1}),
    ("open-early-success", OPEN, {}, Event.SUCCESS, 59.9, OPEN, {}),
    ("open-success-at-the-trial-time", OPEN, {}, Event.SUCCESS, 60, HALF_OPEN, {"successes": 0}),
    ("open-verified", OPEN, {}, Event.RECOVERY_VERIFIED, 1, HALF_OPEN, {"reason": Reason.RECOVERY_VERIFIED}),
    ("half-open-2nd-success", HALF_OPEN, {"successes": 1}, Event.SUCCESS, 1, HALF_OPEN, {"successes": 2}),
    (
        "half-open-3rd-success",
        HALF_OPEN,
        {"successes": 2, "reopen_count": 2},
        Event.SUCCESS,
        1,
        CLOSED,
        {"reopen_count": 0},
    ),
    ("half-open-failure", HALF_OPEN, {"reopen_count": 1}, Event.FAILURE, 1, OPEN, {"reopen_count": 2}),
    ("half-open-timeout", HALF_OPEN, {"reopen_count": 1}, Event.TRIAL_TIMEOUT, 120, OPEN, {"reopen_count": 1}),
    ("half-open-neutral", HALF_OPEN, {"successes": 1}, Event.NEUTRAL, 1, HALF_OPEN, {"successes": 1}),
    ("closed-error", CLOSED, {"failures": 4}, Event.ERROR, 0, CLOSED, {"failures": 4}),
    ("open-error", OPEN, {"failures": 7}, Event.ERROR, 70, OPEN, {"failures": 7}),
    ("open-reset", OPEN, {"reopen_count": 3}, Event.RESET, 1, CLOSED, {"reopen_count": 0, "unconfirmed": True}),
    ("half-open-target", HALF_OPEN, {"successes": 2}, Event.TARGET_CHANGED, 1, CLOSED, {"successes": 0}),
]


@pytest.mark.parametrize(
    ("state", "before", "event", "at", "expected", "after"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_row_of_the_table(state, before, event, at, expected, after):
    now = NOW + timedelta(seconds=at)
    transition = step(snapshot(state, **before), happening(event, at), SPEC, now)
    assert transition.after.state is expected
    assert {name: getattr(transition.after, name) for name in after} == after
    assert transition.after.epoch == 3 + (expected is not state or event in (Event.RESET, Event.TARGET_CHANGED))


def test_every_row_of_the_table_is_reached_by_the_rows_above():
    reached = set()
    for _, state, before, event, at, *_ in ROWS:
        now = NOW + timedelta(seconds=at)
        reached.add((state, event))
        step(snapshot(state, **before), happening(event, at), SPEC, now)
    declared = {(row.state, row.event) for row in TRANSITIONS if row.state is not None}
    assert declared - reached - {(CLOSED, Event.SUCCESS), (HALF_OPEN, Event.ERROR)} == set()


@pytest.mark.parametrize(
    ("state", "event"), [(CLOSED, Event.TRIAL_TIMEOUT), (CLOSED, Event.RECOVERY_VERIFIED), (OPEN, Event.TRIAL_TIMEOUT)]
)
def test_an_event_without_a_row_is_an_error_and_changes_nothing(state, event):
    with pytest.raises(IllegalTransition):
        step(snapshot(state), happening(event), SPEC, NOW)


def test_a_result_of_an_older_epoch_is_dropped():
    before = snapshot(CLOSED, failures=4)
    assert step(before, happening(Event.FAILURE, epoch=2), SPEC, NOW).after is before


def test_errors_stop_the_clock_of_the_trial():
    before = snapshot(HALF_OPEN)
    later = NOW + timedelta(seconds=100)
    after = step(before, happening(Event.ERROR, 100), SPEC, later).after
    assert after.half_open_deadline == before.half_open_deadline + timedelta(seconds=100)


def test_after_a_reset_three_successes_end_the_fast_probing_and_the_first_confirms():
    now = step(snapshot(OPEN), happening(Event.RESET), SPEC, NOW).after
    flags = []
    for _ in range(3):
        now = step(now, Happening(Event.SUCCESS, 4, happening(Event.SUCCESS).result), SPEC, NOW).after
        flags.append((now.unconfirmed, now.confirming))
    assert flags == [(False, True), (False, True), (False, False)]


@pytest.mark.parametrize(("count", "seconds"), [(0, 60), (1, 120), (3, 480), (4, 600), (99, 600)])
def test_the_open_time_doubles_up_to_its_limit(count, seconds):
    assert open_duration(SPEC, count, 0.0) == timedelta(seconds=seconds)
    assert open_duration(SPEC, count, 1.0) == timedelta(seconds=seconds * 1.1)


@given(st.lists(st.tuples(st.sampled_from(list(Event)), st.integers(0, 90), st.floats(0, 0.99)), max_size=60))
def test_whatever_happens_the_rules_hold(story):
    """Epochs never go back, Open has a trial time, HalfOpen a deadline, and Closed neither."""
    now, current = NOW, first_snapshot(NOW)
    for event, seconds, jitter in story:
        now += timedelta(seconds=seconds)
        outcome = OUTCOMES.get(event)
        result = ProbeResult(outcome, Reason.PROBE_FAILED, "", now, now) if outcome else None
        try:
            after = step(current, Happening(event, current.epoch if result else None, result, jitter), SPEC, now).after
        except IllegalTransition:
            continue
        assert after.epoch - current.epoch in (0, 1)
        assert (after.trial_at is not None) == (after.state is OPEN)
        assert (after.half_open_deadline is not None) == (after.state is HALF_OPEN)
        if current.state is CLOSED and after.state is OPEN:
            assert current.failures + 1 == SPEC.failure_threshold
        if current.state is HALF_OPEN and after.state is CLOSED and event is Event.SUCCESS:
            assert current.successes + 1 == SPEC.success_threshold
        current = after
