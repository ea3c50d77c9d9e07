"""Guards and effects of the breaker's table. Their first docstring lines are the words of the drawn table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core import breaker_window as window
from ultra_recovery.core.breaker_state import Event, Happening, Snapshot, open_duration


@dataclass(frozen=True, slots=True)
class Context:
    """What a row of the table may look at."""

    snapshot: Snapshot
    happening: Happening
    spec: CircuitBreakerSpec
    now: datetime

    @property
    def message(self) -> str:
        """The message of the result, "" for events that are not results."""
        return self.happening.result.message if self.happening.result else ""

    @property
    def figures(self) -> window.Figures:
        """The window with the result in it."""
        return window.figures(self.snapshot.calls, self.spec.window, self.now)


def always(_: Context) -> bool:
    """Always."""
    return True


def last_failure_allowed(context: Context) -> bool:
    """This failure reaches failureThreshold."""
    return context.snapshot.failures + 1 >= context.spec.failure_threshold


def trial_reached(context: Context) -> bool:
    """The probe was sent at or after the trial time: a slow answer to an early probe proves nothing about now."""
    result, trial_at = context.happening.result, context.snapshot.trial_at
    moment = result.started_at if result else context.now
    return trial_at is None or moment >= trial_at


def last_success_needed(context: Context) -> bool:
    """This success reaches successThreshold."""
    return context.snapshot.successes + 1 >= context.spec.success_threshold


def failure_rate_reached(context: Context) -> bool:
    """At least minimumCalls are in the window, and failureRatePercent of them failed."""
    return window.failure_rate_reached(context.figures, context.spec.window)


def slow_call_rate_reached(context: Context) -> bool:
    """At least minimumCalls are in the window, and slowCall.ratePercent of them were slow."""
    return window.slow_call_rate_reached(context.figures, context.spec.window)


def clock_stands(context: Context) -> bool:
    """The last probe could not be made: the clock of the trial stands still."""
    return context.snapshot.clock_stands


def confirming(context: Context) -> bool:
    """The breaker was reset and is still being confirmed."""
    return context.snapshot.confirming


def enter(context: Context, state: BreakerState, reason: Reason, message: str) -> Snapshot:
    """A new epoch in `state`; counters and window of the old one are gone, and its override."""
    return replace(
        context.snapshot,
        state=state,
        epoch=context.snapshot.epoch + 1,
        since=context.now,
        reason=reason,
        message=message,
        failures=0,
        successes=0,
        trial_at=None,
        half_open_deadline=None,
        confirming=False,
        changed_at=context.now,
        calls=(),
        override=None,
        shadow=None,
    )


def keep(context: Context) -> Snapshot:
    """Nothing but the observation is recorded."""
    return context.snapshot


def clear_failures(context: Context) -> Snapshot:
    """Set failures to 0."""
    snapshot = context.snapshot
    # Nearly always they are: this is the row of a healthy target, and a copy costs more than the look.
    if snapshot.failures == 0 and not snapshot.unconfirmed:
        return snapshot
    return replace(snapshot, failures=0, unconfirmed=False)


def confirm(context: Context) -> Snapshot:
    """Set failures to 0; enough successes end the fast probing after a reset."""
    successes = context.snapshot.successes + 1
    done = successes >= context.spec.success_threshold
    return replace(
        context.snapshot, failures=0, successes=0 if done else successes, unconfirmed=False, confirming=not done
    )


def count_failure(context: Context) -> Snapshot:
    """Add 1 to failures."""
    return replace(context.snapshot, failures=context.snapshot.failures + 1, successes=0, message=context.message)


def open(context: Context) -> Snapshot:
    """Open until now + open duration."""
    failures = context.snapshot.failures + 1
    message = f"{failures} failures in a row, the last: {context.message}"
    opened = enter(context, BreakerState.OPEN, _why(context, Reason.PROBE_FAILED), message)
    duration = open_duration(context.spec, opened.reopen_count, context.happening.jitter)
    return replace(opened, failures=failures, trial_at=context.now + duration)


def open_by_failure_rate(context: Context) -> Snapshot:
    """Open until now + open duration; the message holds the figures."""
    return _open_by_rate(context, Reason.FAILURE_RATE_REACHED)


def open_by_slow_call_rate(context: Context) -> Snapshot:
    """Open until now + open duration; the message holds the figures."""
    return _open_by_rate(context, Reason.SLOW_CALL_RATE_REACHED)


def _open_by_rate(context: Context, reason: Reason) -> Snapshot:
    rules, slow = context.spec.window, reason is Reason.SLOW_CALL_RATE_REACHED
    message = window.explain(context.figures, rules, slow=slow) if rules is not None else ""
    failures = context.snapshot.failures + 1 if context.happening.event is Event.FAILURE else 0
    opened = enter(context, BreakerState.OPEN, reason, message)
    duration = open_duration(context.spec, opened.reopen_count, context.happening.jitter)
    unconfirmed = opened.unconfirmed and context.happening.event is Event.FAILURE
    return replace(opened, failures=failures, trial_at=context.now + duration, unconfirmed=unconfirmed)


def record_failure(context: Context) -> Snapshot:
    """Recorded."""
    failures, reason = context.snapshot.failures + 1, _why_still(context)
    return replace(context.snapshot, failures=failures, reason=reason, message=context.message)


_TELLING = frozenset({Reason.EXHAUSTED, Reason.WRONG_NODE})
"""Failures of a server that is there: the breaker tells them apart from those of one that is not."""


def _why(context: Context, usual: Reason) -> Reason:
    result = context.happening.result
    return result.reason if result is not None and result.reason in _TELLING else usual


def _why_still(context: Context) -> Reason:
    """Why the breaker is Open now: a server that was full and is dead now must not count as full any more."""
    known = context.snapshot.reason
    return _why(context, Reason.PROBE_FAILED if known in _TELLING else known)


def record_success(context: Context) -> Snapshot:
    """Recorded; too early to count."""
    return replace(context.snapshot, failures=0, unconfirmed=False)


def start_trial(context: Context) -> Snapshot:
    """Begin a trial with no success yet."""
    reason, message = Reason.TRIAL_STARTED, f"trial started: {context.message}"
    if context.happening.event is Event.RECOVERY_VERIFIED:
        reason, message = Reason.RECOVERY_VERIFIED, "trial started early: a recovery step was verified"
    trial = enter(context, BreakerState.HALF_OPEN, reason, message)
    return replace(trial, half_open_deadline=trial_deadline(context), unconfirmed=False)


def trial_deadline(context: Context) -> datetime | None:
    """When a trial that begins now ends undecided; that of an external target begins its time with the first report."""
    return None if context.spec.target.external is not None else context.now + context.spec.half_open_timeout


def count_success(context: Context) -> Snapshot:
    """Add 1 to successes."""
    return replace(context.snapshot, successes=context.snapshot.successes + 1)


def close(context: Context) -> Snapshot:
    """Set reopenCount to 0."""
    message = f"{context.snapshot.successes + 1} successes in a row"
    return replace(enter(context, BreakerState.CLOSED, Reason.TRIAL_SUCCEEDED, message), reopen_count=0)


def reopen(context: Context) -> Snapshot:
    """Add 1 to reopenCount; open duration doubled, at most openMax."""
    count = context.snapshot.reopen_count + 1
    opened = enter(context, BreakerState.OPEN, _why(context, Reason.TRIAL_FAILED), f"trial failed: {context.message}")
    duration = open_duration(context.spec, count, context.happening.jitter)
    return replace(opened, failures=1, reopen_count=count, trial_at=context.now + duration)


def time_out(context: Context) -> Snapshot:
    """Open duration unchanged."""
    opened = enter(context, BreakerState.OPEN, Reason.TRIAL_TIMEOUT, "the trial ended without a decision")
    duration = open_duration(context.spec, opened.reopen_count, context.happening.jitter)
    return replace(opened, trial_at=context.now + duration)


def stand_still(context: Context) -> Snapshot:
    """Only the observation is recorded; the clock of the trial stands still until the next result."""
    return context.snapshot


def reset(context: Context) -> Snapshot:
    """Counters and reopenCount lost, epoch + 1; nothing is proven until a fresh success."""
    changed = context.happening.event is Event.TARGET_CHANGED
    reason = Reason.TARGET_CHANGED if changed else Reason.RESET
    message = "spec.target was changed" if changed else "reset by annotation"
    closed = enter(context, BreakerState.CLOSED, reason, message)
    pool = None if changed else closed.pool
    return replace(closed, reopen_count=0, unconfirmed=True, confirming=True, last=None, good_since=None, pool=pool)
