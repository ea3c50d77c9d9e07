"""A breaker's status: what is written, what is urgent, and what a restart finds in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.breaker_scene import (
    CLOSED,
    DISABLED,
    FORCED,
    HALF_OPEN,
    METRICS,
    NOW,
    OPEN,
    SPEC,
    at,
    calls,
    override,
    result,
    snapshot,
    spec,
)
from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.breaker_state import Snapshot, resume_trial
from ultra_recovery.core.breaker_status import BreakerRecord, enforcement_differs, is_urgent, restore, status_of
from ultra_recovery.core.probe import Outcome

RECORD = BreakerRecord(1, (), None, at(30))
WINDOW = spec(window={"count": {"size": 10}, "minimumCalls": 10, "slowCall": {}})
EMPTY = CircuitBreakerStatus()


def written(found: Snapshot, record: BreakerRecord = RECORD, old: CircuitBreakerStatus = EMPTY, rules=SPEC):
    return status_of(found, rules, record, old, NOW)


def read_back(status: CircuitBreakerStatus) -> CircuitBreakerStatus:
    return CircuitBreakerStatus.model_validate(status.to_wire())


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(snapshot(CLOSED, failures=2), id="closed"),
        pytest.param(snapshot(OPEN, reopen_count=3), id="open"),
        pytest.param(snapshot(HALF_OPEN, successes=1), id="half-open"),
        pytest.param(snapshot(OPEN, FORCED), id="forced open"),
        pytest.param(snapshot(CLOSED, DISABLED), id="disabled"),
        pytest.param(replace(snapshot(CLOSED, METRICS), shadow=snapshot(OPEN, failures=7)), id="metrics only"),
    ],
)
def test_a_restart_finds_what_was_written(found: Snapshot):
    again = restore(read_back(written(found)), NOW)
    assert again is not None
    shadow = replace(found.shadow, epoch=0, changed_at=NOW) if found.shadow else None
    assert again == replace(found, changed_at=NOW, shadow=shadow)


def test_a_restart_forgets_the_window():
    again = restore(read_back(written(snapshot(CLOSED, calls=calls("FF.")), rules=WINDOW)), NOW)
    assert again is not None
    assert again.calls == ()


@pytest.mark.parametrize("shadowed", [False, True])
def test_a_restored_trial_begins_its_time_anew(shadowed: bool):
    trial = snapshot(HALF_OPEN)
    found = replace(snapshot(CLOSED, METRICS), shadow=trial) if shadowed else trial
    assert resume_trial(found, SPEC, at(1000)).trial_ends_at == at(1120)
    assert resume_trial(snapshot(OPEN), SPEC, NOW) == snapshot(OPEN)


def test_the_figures_of_the_window_change_only_with_its_bad_calls():
    first = written(snapshot(CLOSED, calls=calls("F..")), rules=WINDOW)
    assert first.window is not None
    assert (first.window.calls, first.window.failed, first.window.slow) == (3, 1, 0)
    later = written(snapshot(CLOSED, calls=calls("F......")), old=first, rules=WINDOW)
    assert later.window == first.window
    worse = written(snapshot(CLOSED, calls=calls("F......s")), old=first, rules=WINDOW)
    assert worse.window is not None
    assert (worse.window.calls, worse.window.slow) == (8, 1)
    assert written(snapshot(CLOSED, calls=calls("...")), rules=WINDOW).window is None


BASE = replace(snapshot(OPEN), last=result(Outcome.FAILURE))


@pytest.mark.parametrize(
    ("after", "record", "urgent"),
    [
        pytest.param(replace(BASE, failures=9), RECORD, False, id="a counter"),
        pytest.param(replace(BASE, message="x"), RECORD, False, id="a message"),
        pytest.param(BASE, replace(RECORD, next_probe_at=at(60)), False, id="the next probe"),
        pytest.param(BASE, replace(RECORD, stalled=(Reason.TARGET_NOT_FOUND, "x")), False, id="not enforceable"),
        pytest.param(replace(BASE, epoch=9), RECORD, True, id="an epoch"),
        pytest.param(replace(BASE, unconfirmed=True), RECORD, True, id="unconfirmed"),
        pytest.param(BASE, replace(RECORD, handled_resets=("1",)), True, id="a handled reset"),
        pytest.param(BASE, replace(RECORD, generation=2), True, id="a new generation"),
        pytest.param(replace(BASE, override=override(FORCED)), RECORD, True, id="an override"),
    ],
)
def test_transitions_requests_and_overrides_are_urgent_and_nothing_else(after, record, urgent):
    assert is_urgent(written(after, record), read_back(written(BASE))) is urgent
    assert enforcement_differs(written(after, record), written(BASE)) is (record.stalled is not None)


def test_the_first_thing_known_of_a_target_is_urgent():
    unknown = snapshot(OPEN)
    assert is_urgent(written(BASE), written(unknown))
    assert not is_urgent(written(unknown), written(unknown))


def test_the_same_override_is_not_urgent_after_it_was_read_back():
    found = snapshot(OPEN, FORCED)
    assert found.override is not None
    found = replace(found, override=replace(found.override, since=NOW.replace(microsecond=1234)))
    assert not is_urgent(written(found), read_back(written(found)))


def test_a_disabled_breaker_says_that_it_knows_nothing_of_its_target():
    conditions = {item.type: item for item in written(snapshot(CLOSED, DISABLED)).conditions}
    assert conditions[ConditionType.TARGET_HEALTHY].reason == Reason.DISABLED
    assert conditions[ConditionType.READY].message == "spec.override is Disabled"


@given(st.text(max_size=2000))
def test_no_message_breaks_the_bounds_of_a_status(text: str):
    found = replace(snapshot(CLOSED, METRICS), message=text, shadow=snapshot(OPEN, message=text))
    read_back(written(found))
