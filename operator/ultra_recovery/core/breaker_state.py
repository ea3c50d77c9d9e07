"""What a breaker is at one moment, and what can happen to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome, ProbeResult

OPEN_JITTER = 0.10
"""Largest share by which the open time is lengthened, so that many breakers do not try at the same moment."""


class Event(StrEnum):
    """What can happen to a breaker."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    ERROR = "error"
    TRIAL_TIMEOUT = "trial timeout"
    RECOVERY_VERIFIED = "recovery verified"
    RESET = "reset"
    TARGET_CHANGED = "target changed"


EVENT_OF = {
    Outcome.SUCCESS: Event.SUCCESS,
    Outcome.FAILURE: Event.FAILURE,
    Outcome.NEUTRAL: Event.NEUTRAL,
    Outcome.ERROR: Event.ERROR,
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is known of one breaker at one moment.

    Attributes:
        epoch: grows at every transition and reset.
        failures: failures in a row.
        successes: successes in a row while HalfOpen, or since a reset.
        trial_at: from when on a success starts the trial; only while Open.
        half_open_deadline: end of an undecided trial; only while HalfOpen.
        unconfirmed: after a reset, until a fresh success.
        confirming: after a reset, until enough successes: probes come at trialInterval.
        last: the latest result, None before the first probe.
        good_since: begin of the current row of successes, None while the latest result is not one.
        changed_at: when the last result that can move the clock of the trial was taken.
    """

    state: BreakerState
    epoch: int
    since: datetime
    reason: Reason
    message: str = ""
    failures: int = 0
    successes: int = 0
    reopen_count: int = 0
    trial_at: datetime | None = None
    half_open_deadline: datetime | None = None
    unconfirmed: bool = False
    confirming: bool = False
    last: ProbeResult | None = None
    good_since: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One event with what belongs to it.

    Attributes:
        epoch: epoch of the snapshot for which a probe was sent; None for events that are not results.
        result: the probe's result, for results.
        jitter: a number in [0, 1), used when the breaker opens.
    """

    event: Event
    epoch: int | None = None
    result: ProbeResult | None = None
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Transition:
    """What an event did.

    Attributes:
        before: the snapshot before; `after`: the snapshot after, the same object if the event was dropped.
        moved: the state changed, or the history was closed (reset): persist at once.
    """

    before: Snapshot
    after: Snapshot
    event: Event

    @property
    def moved(self) -> bool:
        """Whether a new epoch began."""
        return self.after.epoch != self.before.epoch

    @property
    def dropped(self) -> bool:
        """Whether the event was a result of an older epoch."""
        return self.after is self.before


def first_snapshot(now: datetime) -> Snapshot:
    """A breaker that is seen for the first time: Closed, nothing known."""
    return Snapshot(BreakerState.CLOSED, 0, now, Reason.INITIAL, "seen for the first time")


def open_duration(spec: CircuitBreakerSpec, reopen_count: int, jitter: float) -> timedelta:
    """How long the breaker stays Open before a success counts: doubled per re-open, limited, plus 0 to 10 %."""
    doubled = spec.recovery_timeout * 2 ** min(reopen_count, 30)
    limited: timedelta = min(doubled, spec.open_max)
    return limited * (1 + OPEN_JITTER * jitter)


def observe(snapshot: Snapshot, happening: Happening) -> Snapshot:
    """The snapshot with the result noted, before the table decides anything."""
    result = happening.result
    if result is None:
        return snapshot
    if result.outcome is Outcome.NEUTRAL:
        return replace(snapshot, last=result)
    good_since = (snapshot.good_since or result.started_at) if result.outcome is Outcome.SUCCESS else None
    return replace(snapshot, last=result, good_since=good_since)
