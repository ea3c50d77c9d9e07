"""Guards and effects of what callers report. Their first docstring lines are the words of the drawn table."""

from __future__ import annotations

from dataclasses import replace

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core import breaker_effects as do
from ultra_recovery.core.breaker_effects import Context, enter
from ultra_recovery.core.breaker_state import Snapshot, open_duration
from ultra_recovery.core.reports import Reports, told_by


def _reports(context: Context) -> Reports:
    return context.happening.reports or Reports()


def _quorum(context: Context) -> int:
    external = context.spec.target.external
    return external.quorum if external is not None else 1


def quorum_reached(context: Context) -> bool:
    """At least quorum reporters have failureThreshold failures in a row in this epoch."""
    return len(_reports(context).failing(context.spec.failure_threshold)) >= _quorum(context)


def may_begin_trial(context: Context) -> bool:
    """The target is external and the trial time is reached."""
    return context.spec.target.external is not None and do.trial_reached(context)


def trial_failed(context: Context) -> bool:
    """A reporter has failed in this epoch."""
    return bool(_reports(context).failing(1))


def trial_succeeded(context: Context) -> bool:
    """All reporters together have successThreshold successes in a row in this epoch."""
    return _reports(context).successes >= context.spec.success_threshold


def open_by_reports(context: Context) -> Snapshot:
    """Open until now + open duration."""
    reports, threshold = _reports(context), context.spec.failure_threshold
    failing = reports.failing(threshold)
    who = "1 reporter has" if len(failing) == 1 else f"{len(failing)} reporters have"
    message = f"{who} at least {threshold} failures in a row, the last: {told_by(failing[0])}"
    opened = enter(context, BreakerState.OPEN, Reason.REPORT_FAILED, message)
    duration = open_duration(context.spec, opened.reopen_count, context.happening.jitter)
    return replace(opened, failures=reports.failures, trial_at=context.now + duration)


def take_failures(context: Context) -> Snapshot:
    """Failures = the longest row of any reporter; a success confirms after a reset."""
    snapshot, reports = context.snapshot, _reports(context)
    unconfirmed = snapshot.unconfirmed and not reports.confirmed
    failing = reports.failing(1)
    message = told_by(failing[0]) if failing else snapshot.message
    return replace(
        snapshot,
        failures=reports.failures,
        successes=0,
        unconfirmed=unconfirmed,
        confirming=snapshot.confirming and unconfirmed,
        message=message,
    )


def offer_trial(context: Context) -> Snapshot:
    """The trial is free; without a report it lasts."""
    message = "the recovery timeout is over: one caller at a time may try"
    return enter(context, BreakerState.HALF_OPEN, Reason.TRIAL_OFFERED, message)


def take_successes(context: Context) -> Snapshot:
    """Successes = those of all reporters; halfOpenTimeout begins with the first of them, anew after silence."""
    snapshot, reports = context.snapshot, _reports(context)
    deadline = snapshot.half_open_deadline or context.now + context.spec.half_open_timeout
    return replace(snapshot, successes=reports.successes, half_open_deadline=deadline if reports.decisive else None)


def close(context: Context) -> Snapshot:
    """Set reopenCount to 0."""
    message = f"{_reports(context).successes} successes in a row"
    closed = enter(context, BreakerState.CLOSED, Reason.TRIAL_SUCCEEDED, message)
    return replace(closed, reopen_count=0, unconfirmed=False)


def reopen(context: Context) -> Snapshot:
    """Add 1 to reopenCount; open duration doubled, at most openMax."""
    reports, count = _reports(context), context.snapshot.reopen_count + 1
    message = f"trial failed: {told_by(reports.failing(1)[0])}"
    opened = enter(context, BreakerState.OPEN, Reason.TRIAL_FAILED, message)
    duration = open_duration(context.spec, count, context.happening.jitter)
    return replace(opened, failures=1, reopen_count=count, trial_at=context.now + duration)
