"""What a breaker is at one moment, and what can happen to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec, OverrideState, ReporterStatus
from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_window import Call, record_call
from ultra_recovery.core.override import Override
from ultra_recovery.core.pool_figures import keep
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.reports import Reports, read_reports

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
    OVERRIDE = "override"
    OVERRIDE_ENDED = "override ended"
    REPORTS = "reports"
    TRIAL_TIME = "trial time"


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
        half_open_deadline: end of an undecided trial; only while HalfOpen, and of an external target only while
            somebody reports.
        unconfirmed: after a reset, until a fresh success.
        confirming: after a reset, until enough successes: probes come at trialInterval.
        last: the latest result, None before the first probe; of an external target the newest report, None while
            nobody reports.
        good_since: begin of the current row of successes, None while the latest result is not one.
        failed_at: when the latest failure was seen by this process, None when it has seen none.
        changed_at: when the last result was taken, while HalfOpen: for the clock of the trial.
        calls: the window's calls; only while Closed by the table, forgotten at every transition.
        override: what a person decided, while that is in force.
        shadow: what the table makes of the results while the override MetricsOnly keeps this breaker Closed.
        external: the target is external: reports say how it is, and nothing is probed.
        pool: the latest figures of a database; those of another target are never kept.
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
    failed_at: datetime | None = None
    changed_at: datetime | None = None
    calls: tuple[Call, ...] = ()
    override: Override | None = None
    shadow: Snapshot | None = None
    external: bool = False
    pool: PoolFigures | None = None

    @property
    def observed(self) -> bool:
        """Whether the target is looked at at all, by probes or by what callers report."""
        return self.override is None or self.override.state is not OverrideState.DISABLED

    @property
    def probed(self) -> bool:
        """Whether the target is probed."""
        return self.observed and not self.external

    @property
    def reported(self) -> bool:
        """Whether what callers report is listened to."""
        return self.observed and self.external

    @property
    def trial_begins_at(self) -> datetime | None:
        """When a trial is offered to the callers of an external target, or would be by the shadow; else None."""
        own = self.shadow or self
        waits = self.reported and own.override is None and own.state is BreakerState.OPEN
        return (own.trial_at or own.since) if waits else None

    @property
    def trial_ends_at(self) -> datetime | None:
        """When the running trial, or that of the shadow, ends undecided; None while its clock stands still."""
        own = self.shadow or self
        return None if own.clock_stands else own.half_open_deadline

    @property
    def clock_stands(self) -> bool:
        """Whether the clock of a trial stands still: the target could not be asked the last time."""
        return self.last is not None and self.last.outcome is Outcome.ERROR


@dataclass(frozen=True, slots=True)
class Happening:
    """One event with what belongs to it.

    Attributes:
        epoch: epoch of the snapshot for which a probe was sent; None for events that are not results.
        result: the probe's result, for results.
        jitter: a number in [0, 1), used when the breaker opens.
        override: the override that begins or is changed.
        reports: all that callers report now, for reports.
    """

    event: Event
    epoch: int | None = None
    result: ProbeResult | None = None
    jitter: float = 0.0
    override: Override | None = None
    reports: Reports | None = None


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


def observe(snapshot: Snapshot, happening: Happening, spec: CircuitBreakerSpec, now: datetime) -> Snapshot:
    """The snapshot with the result noted, before the table decides anything."""
    if happening.reports is not None:
        return _hear(snapshot, happening.reports)
    result = happening.result
    if result is None:
        return snapshot
    noted, pool = _turn_clock(snapshot, result, now), keep(snapshot.pool, result.figures)
    if result.outcome is Outcome.NEUTRAL:
        return replace(noted, last=result, pool=pool)
    good_since = (snapshot.good_since or result.started_at) if result.outcome is Outcome.SUCCESS else None
    counts = snapshot.state is BreakerState.CLOSED and snapshot.override is None
    calls = record_call(snapshot.calls, result, spec.window) if counts else ()
    failed_at = result.finished_at if result.outcome is Outcome.FAILURE else snapshot.failed_at
    return replace(noted, last=result, pool=pool, good_since=good_since, failed_at=failed_at, calls=calls)


def _hear(snapshot: Snapshot, reports: Reports) -> Snapshot:
    """The snapshot with the newest report noted, or with nothing known while nobody reports."""
    latest = reports.latest
    if latest is not None and latest.outcome is Outcome.NEUTRAL:
        return replace(snapshot, last=latest)
    good = latest is not None and latest.outcome is Outcome.SUCCESS
    began = snapshot.good_since or (latest.started_at if latest is not None else None)
    failed = latest.finished_at if latest is not None and not good else snapshot.failed_at
    return replace(snapshot, last=latest, good_since=began if good else None, failed_at=failed)


def report_happenings(
    reporters: Sequence[ReporterStatus], snapshot: Snapshot, now: datetime, jitter: float
) -> tuple[Happening, ...]:
    """What reporters, and the time that has passed, make happen to a breaker; nothing to one that is probed.

    Both carry the epoch: whatever the first of them moves, the second belongs to the epoch before.
    """
    if not snapshot.reported:
        return ()
    found = [
        Happening(Event.REPORTS, snapshot.epoch, jitter=jitter, reports=read_reports(reporters, snapshot.epoch, now))
    ]
    begins = snapshot.trial_begins_at
    if begins is not None and now >= begins:
        found.append(Happening(Event.TRIAL_TIME, snapshot.epoch))
    return tuple(found)


def _turn_clock(snapshot: Snapshot, result: ProbeResult, now: datetime) -> Snapshot:
    """Time before and after a probe that could not be made does not count for the trial."""
    if snapshot.half_open_deadline is None:
        return snapshot
    stood = snapshot.clock_stands or result.outcome is Outcome.ERROR
    lost = now - (snapshot.changed_at or snapshot.since) if stood else timedelta()
    return replace(snapshot, half_open_deadline=snapshot.half_open_deadline + lost, changed_at=now)


def resume_trial(snapshot: Snapshot, spec: CircuitBreakerSpec, now: datetime) -> Snapshot:
    """A restored snapshot whose trial begins its time anew: while nobody probed, no trial could be decided."""
    own = snapshot.shadow or snapshot
    if own.half_open_deadline is None:
        return snapshot
    resumed = replace(own, half_open_deadline=now + spec.half_open_timeout, changed_at=now)
    return replace(snapshot, shadow=resumed) if snapshot.shadow else resumed
