"""Every row of the breaker's table, in every state, with and without overrides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.breaker_scene import (
    CLOSED,
    DISABLED,
    EPOCH,
    EXTERNAL,
    FORCED,
    HALF_OPEN,
    METRICS,
    NOW,
    OPEN,
    SPEC,
    at,
    calls,
    entry,
    happening,
    override,
    reports,
    result,
    snapshot,
    spec,
)
from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker import TRANSITIONS, Row, step
from ultra_recovery.core.breaker_effects import Context
from ultra_recovery.core.breaker_state import Event, Snapshot, observe, open_duration
from ultra_recovery.core.errors import IllegalTransition
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.reports import Reports

RATES = spec(window={"count": {"size": 4}, "minimumCalls": 4, "slowCall": {}})
E = Event
IN_ERROR = {"last": result(Outcome.ERROR)}

# id, state, override, before, event, seconds, next state, a new epoch, after
ROWS = [
    ("closed success", CLOSED, None, {"failures": 4}, E.SUCCESS, 0, CLOSED, False, {"failures": 0}),
    ("closed success, confirming", CLOSED, None, {"confirming": True, "unconfirmed": True}, E.SUCCESS, 0, CLOSED, False,
     {"unconfirmed": False, "successes": 1, "confirming": True}),
    ("closed success, failure rate", CLOSED, None, {"calls": calls("FF.")}, E.SUCCESS, 0, OPEN, True,
     {"failures": 0, "reason": Reason.FAILURE_RATE_REACHED, "trial_at": at(60), "calls": ()}),
    ("closed success, slow rate", CLOSED, None, {"calls": calls("sss")}, E.SUCCESS, 0, OPEN, True,
     {"reason": Reason.SLOW_CALL_RATE_REACHED, "unconfirmed": False}),
    ("closed 4th failure", CLOSED, None, {"failures": 3}, E.FAILURE, 0, CLOSED, False, {"failures": 4}),
    ("closed 5th failure", CLOSED, None, {"failures": 4}, E.FAILURE, 0, OPEN, True,
     {"failures": 5, "trial_at": at(60), "reason": Reason.PROBE_FAILED}),
    ("closed failure, failure rate", CLOSED, None, {"calls": calls("F..")}, E.FAILURE, 0, OPEN, True,
     {"failures": 1, "reason": Reason.FAILURE_RATE_REACHED}),
    ("closed failure, slow rate", CLOSED, None, {"calls": calls("sss")}, E.FAILURE, 0, OPEN, True,
     {"reason": Reason.SLOW_CALL_RATE_REACHED}),
    ("closed neutral", CLOSED, None, {"failures": 4}, E.NEUTRAL, 0, CLOSED, False, {"failures": 4}),
    ("closed error", CLOSED, None, {"failures": 4}, E.ERROR, 0, CLOSED, False, {"failures": 4}),
    ("closed reset", CLOSED, None, {"failures": 4}, E.RESET, 0, CLOSED, True, {"failures": 0, "unconfirmed": True}),
    ("closed target", CLOSED, None, {"failures": 4, "calls": calls("F")}, E.TARGET_CHANGED, 0, CLOSED, True,
     {"failures": 0, "calls": (), "reason": Reason.TARGET_CHANGED}),
    ("open failure", OPEN, None, {}, E.FAILURE, 70, OPEN, False, {"failures": 1, "trial_at": at(60)}),
    ("open early success", OPEN, None, {"failures": 5}, E.SUCCESS, 59.9, OPEN, False, {"failures": 0}),
    ("open success at the trial time", OPEN, None, {}, E.SUCCESS, 60, HALF_OPEN, True,
     {"successes": 0, "half_open_deadline": at(180), "trial_at": None}),
    ("open verified", OPEN, None, {}, E.RECOVERY_VERIFIED, 1, HALF_OPEN, True, {"reason": Reason.RECOVERY_VERIFIED}),
    ("open neutral", OPEN, None, {"failures": 7}, E.NEUTRAL, 70, OPEN, False, {"failures": 7}),
    ("open error", OPEN, None, {"failures": 7}, E.ERROR, 70, OPEN, False, {"failures": 7}),
    ("open reset", OPEN, None, {"reopen_count": 3}, E.RESET, 1, CLOSED, True,
     {"reopen_count": 0, "unconfirmed": True, "confirming": True, "trial_at": None}),
    ("open target", OPEN, None, {"reopen_count": 3}, E.TARGET_CHANGED, 1, CLOSED, True, {"reopen_count": 0}),
    ("half-open 2nd success", HALF_OPEN, None, {"successes": 1}, E.SUCCESS, 1, HALF_OPEN, False, {"successes": 2}),
    ("half-open 3rd success", HALF_OPEN, None, {"successes": 2, "reopen_count": 2}, E.SUCCESS, 1, CLOSED, True,
     {"reopen_count": 0, "unconfirmed": False, "half_open_deadline": None}),
    ("half-open failure", HALF_OPEN, None, {"reopen_count": 1}, E.FAILURE, 1, OPEN, True,
     {"reopen_count": 2, "trial_at": at(241), "reason": Reason.TRIAL_FAILED}),
    ("half-open timeout", HALF_OPEN, None, {"reopen_count": 1}, E.TRIAL_TIMEOUT, 120, OPEN, True,
     {"reopen_count": 1, "trial_at": at(240), "reason": Reason.TRIAL_TIMEOUT}),
    ("half-open timeout, in error", HALF_OPEN, None, IN_ERROR, E.TRIAL_TIMEOUT, 120, HALF_OPEN, False, {}),
    ("half-open neutral", HALF_OPEN, None, {"successes": 1}, E.NEUTRAL, 1, HALF_OPEN, False,
     {"successes": 1, "half_open_deadline": at(120)}),
    ("half-open error", HALF_OPEN, None, {"successes": 1}, E.ERROR, 5, HALF_OPEN, False,
     {"successes": 1, "half_open_deadline": at(125)}),
    ("half-open reset", HALF_OPEN, None, {"successes": 2}, E.RESET, 1, CLOSED, True, {"successes": 0}),
    ("half-open target", HALF_OPEN, None, {"successes": 2}, E.TARGET_CHANGED, 1, CLOSED, True, {"successes": 0}),
    *[
        (f"{state} override {over}", state, None, {"reopen_count": 2}, (E.OVERRIDE, over), 1, after, True,
         {"trial_at": None, "half_open_deadline": None, "reopen_count": 0, "unconfirmed": False, "reason": reason})
        for state in (CLOSED, OPEN, HALF_OPEN)
        for over, after, reason in (
            (FORCED, OPEN, Reason.FORCED_OPEN),
            (DISABLED, CLOSED, Reason.DISABLED),
            (METRICS, CLOSED, Reason.METRICS_ONLY),
        )
    ],
    ("forced, now disabled", OPEN, FORCED, {}, (E.OVERRIDE, DISABLED), 1, CLOSED, True, {"reason": Reason.DISABLED}),
    ("disabled, now forced", CLOSED, DISABLED, {}, (E.OVERRIDE, FORCED), 1, OPEN, True, {"shadow": None}),
    ("metrics, now forced", CLOSED, METRICS, {}, (E.OVERRIDE, FORCED), 1, OPEN, True, {"shadow": None}),
    ("forced ended", OPEN, FORCED, {}, E.OVERRIDE_ENDED, 1, HALF_OPEN, True,
     {"override": None, "half_open_deadline": at(121), "reason": Reason.OVERRIDE_REMOVED}),
    ("disabled ended", CLOSED, DISABLED, {}, E.OVERRIDE_ENDED, 1, CLOSED, True,
     {"override": None, "unconfirmed": True, "confirming": True, "last": None}),
    ("metrics ended", CLOSED, METRICS, {}, E.OVERRIDE_ENDED, 1, CLOSED, True,
     {"override": None, "shadow": None, "calls": (), "unconfirmed": True}),
    ("external closed, one below quorum", CLOSED, None, {"unconfirmed": True},
     (E.REPORTS, reports(entry("a", failures=9), entry("b", failures=4))), 1, CLOSED, False,
     {"failures": 9, "message": "a: 503", "unconfirmed": True, "good_since": None}),
    ("external closed, quorum", CLOSED, None, {},
     (E.REPORTS, reports(entry("a", failures=9), entry("b", failures=5))), 1, OPEN, True,
     {"failures": 9, "trial_at": at(61), "reason": Reason.REPORT_FAILED}),
    ("external closed, success", CLOSED, None, {"failures": 4, "unconfirmed": True, "confirming": True},
     (E.REPORTS, reports(entry("a", successes=1))), 1, CLOSED, False,
     {"failures": 0, "unconfirmed": False, "confirming": False, "good_since": NOW}),
    ("external closed, silence", CLOSED, None, {"failures": 4, "good_since": NOW}, (E.REPORTS, reports()), 1, CLOSED,
     False, {"failures": 0, "last": None, "good_since": None}),
    ("external open", OPEN, None, {}, (E.REPORTS, reports(entry("a", successes=9))), 70, OPEN, False,
     {"trial_at": at(60), "good_since": NOW}),
    ("external open, early", OPEN, None, {}, E.TRIAL_TIME, 59.9, OPEN, False, {"trial_at": at(60)}),
    ("external open, trial time", OPEN, None, {}, E.TRIAL_TIME, 60, HALF_OPEN, True,
     {"reason": Reason.TRIAL_OFFERED, "half_open_deadline": None, "trial_at": None}),
    ("external open verified", OPEN, None, {}, E.RECOVERY_VERIFIED, 1, HALF_OPEN, True, {"half_open_deadline": None}),
    ("external half-open failure", HALF_OPEN, None, {"reopen_count": 1},
     (E.REPORTS, reports(entry("a", successes=9), entry("b", failures=1))), 1, OPEN, True,
     {"reopen_count": 2, "trial_at": at(241), "reason": Reason.TRIAL_FAILED}),
    ("external half-open, 2 of 3", HALF_OPEN, None, {"half_open_deadline": None},
     (E.REPORTS, reports(entry("a", successes=1), entry("b", successes=1))), 1, HALF_OPEN, False,
     {"successes": 2, "half_open_deadline": at(121)}),
    ("external half-open, 3 of 3", HALF_OPEN, None, {"reopen_count": 4},
     (E.REPORTS, reports(entry("a", successes=1), entry("b", successes=2))), 1, CLOSED, True, {"reopen_count": 0}),
    ("external half-open, neutral", HALF_OPEN, None, {"half_open_deadline": None}, (E.REPORTS, reports(entry("a"))), 1,
     HALF_OPEN, False, {"successes": 0, "half_open_deadline": None}),
    ("external half-open, silence", HALF_OPEN, None, {"successes": 2}, (E.REPORTS, reports()), 1, HALF_OPEN, False,
     {"successes": 0, "half_open_deadline": None, "last": None}),
    *[
        (f"external {over} {event}", state, over, {}, (event, reports(entry("a", failures=9), entry("b", failures=9))),
         1, state, False, {"failures": 0, "successes": 0})
        for over, state in ((FORCED, OPEN), (DISABLED, CLOSED), (METRICS, CLOSED))
        for event in (E.REPORTS, E.TRIAL_TIME)
    ],
    *[
        (f"{over} {event}", state, over, {}, event, 1, state, False, {"failures": 0, "successes": 0, "calls": ()})
        for over, state in ((FORCED, OPEN), (DISABLED, CLOSED), (METRICS, CLOSED))
        for event in (E.SUCCESS, E.FAILURE, E.NEUTRAL, E.ERROR, E.RESET, E.RECOVERY_VERIFIED, E.TRIAL_TIMEOUT)
    ],
    *[
        (f"{over} renewed", state, over, {}, (E.OVERRIDE, over), 1, state, False, {"override": override(over, 99, "x")})
        for over, state in ((FORCED, OPEN), (DISABLED, CLOSED), (METRICS, CLOSED))
    ],
    *[
        (f"{over} target", state, over, {"good_since": NOW, **IN_ERROR}, E.TARGET_CHANGED, 1, state, True,
         {"last": None, "good_since": None, "override": override(over)})
        for over, state in ((FORCED, OPEN), (DISABLED, CLOSED), (METRICS, CLOSED))
    ],
]  # fmt: skip
ILLEGAL = [
    (CLOSED, E.TRIAL_TIMEOUT),
    (CLOSED, E.RECOVERY_VERIFIED),
    (OPEN, E.TRIAL_TIMEOUT),
    (HALF_OPEN, E.RECOVERY_VERIFIED),
    (CLOSED, E.OVERRIDE_ENDED),
    (OPEN, E.OVERRIDE_ENDED),
    (HALF_OPEN, E.OVERRIDE_ENDED),
    (CLOSED, E.TRIAL_TIME),
    (HALF_OPEN, E.TRIAL_TIME),
]


def situation(row: tuple) -> tuple[Snapshot, object, object]:
    _, state, over, before, event, seconds, *_ = row
    kind, asked = event if isinstance(event, tuple) else (event, None)
    slow = 10.0 if "slow" in row[0] else 0.0
    now = at(seconds)
    if isinstance(asked, Reports):
        return snapshot(state, over, **before), happening(kind, reports=asked), now
    wanted = override(asked, 99, "x") if asked else None
    return snapshot(state, over, **before), happening(kind, seconds, took=slow, over=wanted), now


def rules(row: tuple) -> CircuitBreakerSpec:
    return EXTERNAL if row[0].startswith("external") else RATES


def taken(row: tuple) -> Row:
    before, event, now = situation(row)
    context = Context(observe(before, event, rules(row), now), event, rules(row), now)
    fitting = (r for r in TRANSITIONS if r.event is event.event and r.state in (None, before.state))
    return next(r for r in fitting if r.guard(context))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_cell_of_the_table(row):
    before, event, now = situation(row)
    expected, new_epoch, after = row[6:]
    transition = step(before, event, rules(row), now)
    assert transition.after.state is expected
    assert transition.after.epoch == EPOCH + new_epoch
    assert transition.moved is new_epoch
    assert {name: getattr(transition.after, name) for name in after} == after


def test_every_row_of_the_table_is_taken_by_a_cell_above():
    assert [row for row in TRANSITIONS if row not in [taken(cell) for cell in ROWS]] == []


def test_every_cell_of_state_override_and_event_is_above_or_is_illegal():
    def kind(event: object) -> Event:
        return event[0] if isinstance(event, tuple) else event

    shown = {(row[1], row[2], kind(row[4])) for row in ROWS} | {(state, None, event) for state, event in ILLEGAL}
    plain = {(state, None, event) for state in (CLOSED, OPEN, HALF_OPEN) for event in Event}
    over = {
        (state, name, event) for state, name in ((OPEN, FORCED), (CLOSED, DISABLED), (CLOSED, METRICS)) for event in E
    }
    assert (plain | over) - shown == set()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_effect_leads_to_the_state_that_its_row_declares(row):
    before, event, now = situation(row)
    declared = taken(row).next
    assert step(before, event, rules(row), now).after.state is (before.state if declared is None else declared)


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_an_event_without_a_row_is_an_error_and_changes_nothing(state, event):
    with pytest.raises(IllegalTransition):
        step(snapshot(state), happening(event), SPEC, NOW)


@pytest.mark.parametrize("over", [None, FORCED, METRICS], ids=str)
def test_a_result_of_an_older_epoch_is_dropped(over):
    before = snapshot(OPEN if over is FORCED else CLOSED, over, failures=4)
    assert step(before, happening(Event.FAILURE, epoch=EPOCH - 1), SPEC, NOW).after is before


def test_the_clock_of_the_trial_stands_from_the_result_before_an_error_to_the_result_after_it():
    now = snapshot(HALF_OPEN)
    for event, seconds in ((E.SUCCESS, 10), (E.ERROR, 20), (E.ERROR, 50), (E.NEUTRAL, 60)):
        now = step(now, happening(event, seconds), SPEC, at(seconds)).after
        assert (now.trial_ends_at is None) is (event is E.ERROR)
    assert now.half_open_deadline == at(120 + 50)
    after = step(now, happening(E.SUCCESS, 70), SPEC, at(70)).after
    assert after.half_open_deadline == at(170)


def test_after_a_reset_three_successes_end_the_fast_probing_and_the_first_confirms():
    now = step(snapshot(OPEN), happening(Event.RESET), SPEC, NOW).after
    flags = []
    for _ in range(3):
        now = step(now, happening(Event.SUCCESS, epoch=EPOCH + 1), SPEC, NOW).after
        flags.append((now.unconfirmed, now.confirming))
    assert flags == [(False, True), (False, True), (False, False)]


@pytest.mark.parametrize(("count", "seconds"), [(0, 60), (1, 120), (3, 480), (4, 600), (99, 600)])
def test_the_open_time_doubles_up_to_its_limit(count, seconds):
    assert open_duration(SPEC, count, 0.0) == timedelta(seconds=seconds)
    assert open_duration(SPEC, count, 1.0) == timedelta(seconds=seconds * 1.1)


def test_changed_thresholds_keep_the_counters():
    now = snapshot(CLOSED, failures=3)
    now = step(now, happening(E.FAILURE), spec(failureThreshold=10), NOW).after
    assert (now.state, now.failures) == (CLOSED, 4)
    assert step(now, happening(E.FAILURE), spec(failureThreshold=5), NOW).after.state is OPEN


def test_under_metrics_only_the_shadow_walks_the_table_and_the_breaker_stays_closed():
    now, story = snapshot(CLOSED, METRICS), []
    events = [(E.FAILURE, 1)] * 5 + [(E.SUCCESS, 62)] + [(E.ERROR, 70), (E.NEUTRAL, 71)] + [(E.SUCCESS, 72)] * 3
    for event, seconds in events:
        now = step(now, happening(event, seconds), SPEC, at(seconds)).after
        story.append(now.shadow.state)
        assert (now.state, now.epoch) == (CLOSED, EPOCH)
    assert story == [CLOSED] * 4 + [OPEN] + [HALF_OPEN] * 5 + [CLOSED]


def test_the_trial_of_a_shadow_times_out_too():
    now = snapshot(CLOSED, METRICS)
    for seconds in (1, 2, 3, 4, 5):
        now = step(now, happening(E.FAILURE, seconds), SPEC, at(seconds)).after
    now = step(now, happening(E.SUCCESS, 70), SPEC, at(70)).after
    assert now.trial_ends_at == at(190)
    now = step(now, happening(E.TRIAL_TIMEOUT, 190), SPEC, at(190)).after
    assert (now.state, now.shadow.state, now.shadow.reason) == (CLOSED, OPEN, Reason.TRIAL_TIMEOUT)


def test_an_override_that_ends_says_whether_it_was_removed_or_is_over():
    over = spec(override={"state": "ForcedOpen", "until": "2026-01-01T00:00:00Z"})
    after = step(snapshot(OPEN, FORCED), happening(E.OVERRIDE_ENDED), over, NOW).after
    assert (after.reason, "is over" in after.message) == (Reason.OVERRIDE_EXPIRED, True)
