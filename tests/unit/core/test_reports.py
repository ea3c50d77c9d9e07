"""What callers report of an external target: what counts, what it says, and under any story what it must never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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
    entry,
    override,
    reports,
    snapshot,
    spec,
)
from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus, ReporterStatus, ReportOutcome
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.breaker import step
from ultra_recovery.core.breaker_state import Event, Happening, Snapshot, first_snapshot, report_happenings
from ultra_recovery.core.breaker_status import BreakerRecord, describe_target, status_of
from ultra_recovery.core.naming import target_digest
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.reports import read_reports, told_by

RECORD = BreakerRecord(1, ())


@pytest.mark.parametrize(
    ("written", "epoch", "counts"),
    [
        pytest.param(0, EPOCH, True, id="just written"),
        pytest.param(-59.9, EPOCH, True, id="almost a minute old"),
        pytest.param(-60, EPOCH, False, id="silent for a minute"),
        pytest.param(30, EPOCH, True, id="by a clock that is a bit ahead"),
        pytest.param(60, EPOCH, False, id="by a clock that is wrong"),
        pytest.param(0, EPOCH - 1, False, id="of the epoch before"),
        pytest.param(0, EPOCH + 1, False, id="of an epoch that is not yet"),
    ],
)
def test_an_entry_counts_while_it_is_of_this_epoch_and_not_silent(written: float, epoch: int, counts: bool):
    found = read_reports([entry("a", written, failures=1, epoch=epoch)], EPOCH, NOW)
    assert bool(found.entries) is counts
    assert found.silent_at == (at(written + 60) if counts else None)


@pytest.mark.parametrize(
    ("entries", "outcome"),
    [
        pytest.param([entry("a", 1, failures=1), entry("b", 2, successes=1)], Outcome.SUCCESS, id="newest good"),
        pytest.param([entry("a", 2, failures=1), entry("b", 1, successes=1)], Outcome.FAILURE, id="newest bad"),
        pytest.param([entry("a", 1, successes=1), entry("b", 1, failures=1)], Outcome.FAILURE, id="both at once"),
        pytest.param([entry("a", 1, failures=1), entry("b", 2)], Outcome.NEUTRAL, id="newest neither"),
        pytest.param([], None, id="nobody"),
    ],
)
def test_the_newest_report_says_how_the_target_is(entries: list[ReporterStatus], outcome: Outcome | None):
    latest = reports(*entries).latest
    assert (latest.outcome if latest is not None else None) is outcome


@pytest.mark.parametrize(
    ("message", "told"),
    [("503", "a: 503"), ("two\nlines\x1b[31m", "a: two lines [31m"), (None, "a: failure"), (" ", "a: failure")],
    ids=["as it is", "without control characters", "without a message", "blank"],
)
def test_a_reporters_words_are_told_in_one_line(message: str | None, told: str):
    assert told_by(entry("a", failures=1).model_copy(update={"message": message})) == told


def test_a_probed_or_disabled_breaker_does_not_listen():
    failing = [entry("a", failures=99), entry("b", failures=99)]
    assert report_happenings(failing, snapshot(CLOSED), NOW, 0.0) == ()
    assert report_happenings(failing, snapshot(CLOSED, DISABLED, external=True), NOW, 0.0) == ()


@pytest.mark.parametrize(
    ("seconds", "events"),
    [(59.9, [Event.REPORTS]), (60, [Event.REPORTS, Event.TRIAL_TIME])],
    ids=["before", "at the trial time"],
)
def test_an_open_breaker_offers_its_trial_by_time(seconds: float, events: list[Event]):
    found = report_happenings([], snapshot(OPEN, external=True), at(seconds), 0.0)
    assert [happening.event for happening in found] == events


def test_one_that_is_forced_open_offers_no_trial():
    found = report_happenings([], snapshot(OPEN, FORCED, external=True), at(9999), 0.0)
    assert [happening.event for happening in found] == [Event.REPORTS]


def test_the_trial_of_a_shadow_is_offered_and_decided_by_what_was_written_since():
    now, told = replace(first_snapshot(NOW), override=override(METRICS), shadow=first_snapshot(NOW), external=True), []
    for seconds, entries in (
        (1, [entry("a", 1, failures=5, epoch=0), entry("b", 1, failures=5, epoch=0)]),
        (61, [entry("a", 50, failures=9, epoch=0)]),
        (62, [entry("a", 62, successes=2, epoch=0), entry("b", 10, successes=5, epoch=0)]),
        (63, [entry("a", 63, successes=3, epoch=0)]),
    ):
        for happening in report_happenings(entries, now, at(seconds), 0.0):
            now = step(now, happening, EXTERNAL, at(seconds)).after
        told.append(now.shadow.state)
        assert (now.state, now.epoch) == (CLOSED, 0)
    assert told == [OPEN, HALF_OPEN, HALF_OPEN, CLOSED]


def test_a_new_quorum_keeps_the_history_and_another_kind_of_target_does_not():
    other = spec(target={"external": {"quorum": 5}})
    assert target_digest(EXTERNAL.target) == target_digest(other.target)
    assert target_digest(EXTERNAL.target) != target_digest(SPEC.target)
    assert describe_target(other.target) == "external"


def healthy(last: ReporterStatus | None) -> tuple[str, str]:
    now = replace(snapshot(CLOSED, external=True), last=reports(last).latest if last else None)
    status = status_of(now, EXTERNAL, RECORD, CircuitBreakerStatus(), NOW)
    (found,) = [item for item in status.conditions if item.type == ConditionType.TARGET_HEALTHY]
    return found.status, found.reason


@pytest.mark.parametrize(
    ("last", "status", "reason"),
    [
        pytest.param(entry("a", successes=1), "True", Reason.REPORT_SUCCEEDED, id="success"),
        pytest.param(entry("a", failures=1), "False", Reason.REPORT_FAILED, id="failure"),
        pytest.param(entry("a"), "Unknown", Reason.REPORT_NEUTRAL, id="neutral"),
        pytest.param(None, "Unknown", Reason.NO_REPORTS, id="nobody"),
    ],
)
def test_the_health_of_an_external_target_is_what_was_reported_last(
    last: ReporterStatus | None, status: str, reason: Reason
):
    assert healthy(last) == (status, reason)


@pytest.mark.parametrize(("epoch", "stands"), [(EPOCH, True), (EPOCH - 1, False)], ids=["same epoch", "a transition"])
def test_a_trial_stands_until_the_next_transition_and_reports_are_carried_over(epoch: int, stands: bool):
    trial = {"holder": "a", "until": "2026-01-01T00:00:30Z"}
    old = CircuitBreakerStatus.model_validate({"epoch": epoch, "reporters": [entry("a").to_wire()], "trial": trial})
    new = status_of(snapshot(HALF_OPEN, external=True), EXTERNAL, RECORD, old, NOW)
    assert (new.trial is not None) is stands
    assert new.reporters == old.reporters


MOVES = {(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, CLOSED), (HALF_OPEN, OPEN)}
entries = st.builds(
    lambda name, age, failures, successes, epoch: entry(
        name, -age, failures=failures, successes=0 if failures else successes, epoch=epoch
    ),
    st.sampled_from("abc"),
    st.integers(-90, 90),
    st.sampled_from([0, 0, 1, 5]),
    st.integers(0, 4),
    st.integers(EPOCH - 1, EPOCH + 1),
)


@given(st.lists(entries, max_size=4), st.sampled_from([CLOSED, OPEN, HALF_OPEN]))
@settings(deadline=None)
def test_silent_entries_and_those_of_other_epochs_might_as_well_not_be_there(found: list[ReporterStatus], state):
    before = snapshot(state, external=True)
    counted = [item for item in found if item.epoch == EPOCH and abs(item.reported_at - NOW) < timedelta(minutes=1)]
    assert hear(before, found) == hear(before, counted)


def hear(before: Snapshot, found: list[ReporterStatus], seconds: float = 0.0) -> Snapshot:
    now = before
    for happening in report_happenings(found, before, at(seconds), 0.0):
        now = step(now, happening, EXTERNAL, at(seconds)).after
    return now


class ReportsMachine(RuleBasedStateMachine):
    """Three callers, one clock; each writes what it sees, and goes by the epoch that it knows, at times an old one."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.breaker = replace(first_snapshot(NOW), external=True)
        self.written: dict[str, ReporterStatus] = {}

    def look(self) -> None:
        """What the engine does at each look."""
        before, now = self.breaker, at(self.seconds)
        counted = read_reports(list(self.written.values()), before.epoch, now)
        happenings = report_happenings(list(self.written.values()), before, now, 0.5)
        for happening in happenings:
            self.breaker = step(self.breaker, happening, EXTERNAL, now).after
        deadline = self.breaker.trial_ends_at
        if deadline is not None and now >= deadline:
            self.breaker = step(self.breaker, Happening(Event.TRIAL_TIMEOUT), EXTERNAL, now).after
        assert self.breaker.epoch - before.epoch in (0, 1)
        move = (before.state, self.breaker.state)
        if self.breaker.epoch == before.epoch:
            assert move[0] is move[1]
            return
        assert move in MOVES
        if move != (OPEN, HALF_OPEN):
            assert counted.entries, "neither silence nor an old epoch moves a breaker"
        if move == (CLOSED, OPEN):
            assert len(counted.failing(5)) >= 2
        if move == (HALF_OPEN, CLOSED):
            assert counted.successes >= 3
            assert not counted.failing(1)
        if move == (OPEN, HALF_OPEN):
            assert at(self.seconds) >= before.trial_at

    @rule(name=st.sampled_from("abc"), outcome=st.sampled_from(ReportOutcome), late=st.sampled_from([0, 0, 0, 1, 2]))
    def a_caller_reports(self, name: str, outcome: ReportOutcome, late: int) -> None:
        epoch, old = max(self.breaker.epoch - late, 0), self.written.get(name)
        known = old if old is not None and old.epoch == epoch else entry(name, epoch=epoch)
        failures, successes = known.consecutive_failures, known.consecutive_successes
        if outcome is ReportOutcome.FAILURE:
            failures, successes = failures + 1, 0
        elif outcome is ReportOutcome.SUCCESS:
            failures, successes = 0, successes + 1
        fresh = entry(name, self.seconds, failures=failures, successes=successes, epoch=epoch)
        self.written[name] = fresh.model_copy(update={"last_outcome": outcome})
        self.look()

    @rule(name=st.sampled_from("ab"), failures=st.integers(1, 9))
    def a_caller_fails_often(self, name: str, failures: int) -> None:
        self.written[name] = entry(name, self.seconds, failures=failures, epoch=self.breaker.epoch)
        self.look()

    @rule(seconds=st.integers(1, 70))
    def time_passes(self, seconds: int) -> None:
        self.seconds += seconds
        self.look()

    @rule()
    def everybody_falls_silent(self) -> None:
        self.seconds += 60
        self.look()
        before = self.breaker
        for _ in range(20):
            self.seconds += 60
            self.look()
        if before.state is OPEN:
            assert self.breaker.state is HALF_OPEN, "the trial is offered by time alone"
        else:
            assert (self.breaker.state, self.breaker.epoch) == (before.state, before.epoch)
        assert self.breaker.last is None

    @rule()
    def a_restart_forgets_nothing_that_counts(self) -> None:
        """Another look at the same entries, as a new leader takes it, changes nothing."""
        self.look()
        before = self.breaker
        self.look()
        assert self.breaker == before

    @rule()
    def somebody_resets_it(self) -> None:
        self.breaker = step(self.breaker, Happening(Event.RESET), EXTERNAL, at(self.seconds)).after
        assert (self.breaker.state, self.breaker.unconfirmed) == (CLOSED, True)
        self.look()
        assert self.breaker.state is CLOSED, "what was said before the reset is over"

    @invariant()
    def times_belong_to_states(self) -> None:
        assert (self.breaker.trial_at is not None) == (self.breaker.state is OPEN)
        assert self.breaker.half_open_deadline is None or self.breaker.state is HALF_OPEN
        assert self.breaker.calls == ()


ReportsMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestReportsMachine = ReportsMachine.TestCase
