"""What a status shows of a snapshot: while that stays equal, a status need not be computed again."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.breaker_scene import DISABLED, FORCED, METRICS, NOW, spec
from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker import step
from ultra_recovery.core.breaker_state import EVENT_OF, Event, Happening, Snapshot, first_snapshot
from ultra_recovery.core.breaker_status import BreakerRecord, shown_by, status_of
from ultra_recovery.core.override import Override
from ultra_recovery.core.probe import Outcome, ProbeResult

SPEC = spec(failureThreshold=2, successThreshold=2, recoveryTimeout="60s")
RECORD = BreakerRecord(1, (), None, NOW)

results = st.tuples(st.sampled_from(Outcome), st.sampled_from(["answered 500", "no answer"]))
stories = st.lists(st.one_of(results, st.sampled_from([FORCED, DISABLED, METRICS, None, Event.RESET])), max_size=20)


def told(what: object, snapshot: Snapshot, seconds: int) -> Happening:
    now = NOW + timedelta(seconds=seconds)
    if isinstance(what, tuple):
        outcome, message = what
        result = ProbeResult(outcome, Reason.PROBE_FAILED, message, now, now)
        return Happening(EVENT_OF[outcome], snapshot.epoch, result, 0.5)
    if what is Event.RESET:
        return Happening(Event.RESET)
    if what is None:
        return Happening(Event.OVERRIDE_ENDED)
    return Happening(Event.OVERRIDE, override=Override(what, NOW, None, "drill"))


@given(story=stories)
def test_equal_parts_that_are_shown_give_equal_statuses(story: list[object]) -> None:
    snapshot, old = first_snapshot(NOW), CircuitBreakerStatus()
    for number, what in enumerate(story):
        if what is None and snapshot.override is None:
            continue
        now = NOW + timedelta(seconds=20 * number)
        after = step(snapshot, told(what, snapshot, 20 * number), SPEC, now).after
        if shown_by(snapshot, RECORD) == shown_by(after, RECORD):
            assert status_of(snapshot, SPEC, RECORD, old, now) == status_of(after, SPEC, RECORD, old, now)
        snapshot, old = after, status_of(after, SPEC, RECORD, old, now)


def test_one_good_probe_after_another_shows_nothing_new() -> None:
    snapshot = first_snapshot(NOW)
    first = step(snapshot, told((Outcome.SUCCESS, "answered 200"), snapshot, 0), SPEC, NOW).after
    later = step(first, told((Outcome.SUCCESS, "answered 204"), first, 30), SPEC, NOW + timedelta(seconds=30)).after
    assert shown_by(first, RECORD) == shown_by(later, RECORD)
    assert shown_by(snapshot, RECORD) != shown_by(first, RECORD)
