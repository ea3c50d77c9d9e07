"""The breaker under any story, against a model that keeps nothing but lists of what happened in this epoch."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.core.breaker_scene import CLOSED, DISABLED, FORCED, HALF_OPEN, METRICS, NOW, OPEN, spec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker import step
from ultra_recovery.core.breaker_state import EVENT_OF, Event, Happening, first_snapshot
from ultra_recovery.core.override import Override
from ultra_recovery.core.probe import Outcome, ProbeResult

SPEC = spec(
    failureThreshold=4,
    successThreshold=2,
    recoveryTimeout="60s",
    openMax="200s",
    halfOpenTimeout="120s",
    window={"count": {"size": 6}, "minimumCalls": 5, "failureRatePercent": 60, "slowCall": {"ratePercent": 80}},
)
jitters = st.floats(0, 0.99)


class BreakerMachine(RuleBasedStateMachine):
    """One breaker, one clock, and the results of the present epoch as letters: F failed, s slow, S both, . good."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.breaker = first_snapshot(NOW)
        self.history = ""
        self.reopened = 0

    def apply(self, event: Event, **fields: object) -> None:
        before = self.breaker
        happening = Happening(event, **fields)
        self.breaker = step(before, happening, SPEC, self.now).after
        assert self.breaker.epoch - before.epoch in (0, 1)
        if self.breaker.epoch != before.epoch:
            self.check_move(before, happening)
            self.history = ""
        else:
            assert self.breaker.state is before.state

    def result(self, outcome: Outcome, took: float, jitter: float, *, age: int = 0) -> None:
        answer = ProbeResult(outcome, Reason.PROBE_FAILED, "", self.now - timedelta(seconds=took), self.now)
        slow = took > 5
        letter = {Outcome.SUCCESS: ".s"[slow], Outcome.FAILURE: "FS"[slow]}.get(outcome, "")
        if not age:
            self.history += letter
        self.apply(EVENT_OF[outcome], epoch=self.breaker.epoch - age, result=answer, jitter=jitter)

    def check_move(self, before, happening) -> None:
        event, after = happening.event, self.breaker
        if event in (Event.RESET, Event.TARGET_CHANGED):
            assert event is Event.TARGET_CHANGED or before.override is None
            self.reopened = 0
            return
        if event in (Event.OVERRIDE, Event.OVERRIDE_ENDED):
            self.reopened = 0
            assert (after.override is not None) is (event is Event.OVERRIDE)
            return
        assert before.override is None, "an overridden breaker does not move by results"
        move = (before.state, after.state)
        if move == (CLOSED, OPEN):
            assert self.should_open()
        elif move == (OPEN, HALF_OPEN):
            early = happening.result is not None and happening.result.started_at < before.trial_at
            assert event is Event.RECOVERY_VERIFIED or (event is Event.SUCCESS and not early)
        elif move == (HALF_OPEN, CLOSED):
            assert self.history.count(".") + self.history.count("s") == SPEC.success_threshold
            self.reopened = 0
        else:
            assert move == (HALF_OPEN, OPEN)
            assert event is Event.FAILURE or self.now >= before.half_open_deadline
            self.reopened += event is Event.FAILURE

    def should_open(self) -> bool:
        """The rules, by counting letters."""
        trailing = len(self.history) - len(self.history.rstrip("FS"))
        window = self.history[-6:]
        failed, slow = sum(window.count(x) for x in "FS"), sum(window.count(x) for x in "sS")
        by_rate = len(window) >= 5 and (failed >= 0.6 * len(window) or slow >= 0.8 * len(window))
        return trailing >= SPEC.failure_threshold or by_rate

    @rule(seconds=st.integers(0, 90))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        deadline = self.breaker.trial_ends_at
        if deadline is not None and self.now >= deadline:
            self.apply(Event.TRIAL_TIMEOUT, jitter=0.5)

    @rule(
        outcome=st.sampled_from([Outcome.FAILURE, Outcome.FAILURE, Outcome.SUCCESS, Outcome.SUCCESS, *Outcome]),
        took=st.sampled_from([0.1, 5.0, 6.0]),
        jitter=jitters,
    )
    def a_probe_ends(self, outcome: Outcome, took: float, jitter: float) -> None:
        self.result(outcome, took, jitter)

    @precondition(lambda self: self.breaker.epoch > 0)
    @rule(outcome=st.sampled_from(list(Outcome)), age=st.integers(1, 3))
    def an_old_probe_ends(self, outcome: Outcome, age: int) -> None:
        before = self.breaker
        self.result(outcome, 0.1, 0.0, age=age)
        assert self.breaker is before

    @rule(event=st.sampled_from([Event.RESET, Event.TARGET_CHANGED]))
    def a_person_acts(self, event: Event) -> None:
        before = self.breaker
        self.apply(event)
        refused = event is Event.RESET and before.override is not None
        assert (self.breaker.epoch == before.epoch) is refused

    @precondition(lambda self: self.breaker.state is OPEN)
    @rule()
    def a_recovery_is_verified(self) -> None:
        self.apply(Event.RECOVERY_VERIFIED)

    @rule(state=st.sampled_from([FORCED, DISABLED, METRICS]))
    def it_is_overridden(self, state) -> None:
        self.apply(Event.OVERRIDE, override=Override(state, self.now))

    @precondition(lambda self: self.breaker.override is not None)
    @rule()
    def the_override_ends(self) -> None:
        forced = self.breaker.override.state is FORCED
        self.apply(Event.OVERRIDE_ENDED)
        assert self.breaker.state is (HALF_OPEN if forced else CLOSED)

    @invariant()
    def it_opens_as_soon_as_a_rule_is_met(self) -> None:
        if self.breaker.state is CLOSED and self.breaker.override is None and self.history:
            assert not self.should_open()

    @invariant()
    def times_belong_to_states(self) -> None:
        plain = self.breaker.override is None
        assert (self.breaker.trial_at is not None) == (self.breaker.state is OPEN and plain)
        assert (self.breaker.half_open_deadline is not None) == (self.breaker.state is HALF_OPEN)
        assert plain or self.breaker.state is (OPEN if self.breaker.override.state is FORCED else CLOSED)
        assert (self.breaker.shadow is not None) == (not plain and self.breaker.override.state is METRICS)

    @invariant()
    def the_open_time_has_its_bounds(self) -> None:
        if self.breaker.trial_at is not None:
            base = min(timedelta(seconds=60) * 2**self.reopened, timedelta(seconds=200))
            assert base <= self.breaker.trial_at - self.breaker.since <= base * 1.1

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        assert len(self.breaker.calls) <= 6
        assert not self.breaker.calls or (self.breaker.state is CLOSED and self.breaker.override is None)
        if self.breaker.shadow is not None:
            assert self.breaker.shadow.shadow is None
            assert self.breaker.shadow.override is None


BreakerMachine.TestCase.settings = settings(stateful_step_count=60, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase
