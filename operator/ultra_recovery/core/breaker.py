"""The circuit breaker: its state machine as a table of data, and the one function that applies it.

Everything about transitions stands in TRANSITIONS. The first row whose state, event and guard fit is taken. An event
without a row raises IllegalTransition and changes nothing. Probe results that carry an older epoch are dropped before
the table is asked: they belong to a history that a transition or a reset has closed. While an override is in force its
rows, which stand first, hide the others; under MetricsOnly the same table runs beside it on a shadow snapshot.

An external target is not probed: its callers report, and all that they say stands in one event, which means the same
however often it comes. Its trial begins by time, since nobody is to call it before.

    Closed ──failures──▶ Open ──success at the trial time──▶ HalfOpen ──successes──▶ Closed
                          ▲                                     │
                          └──────failure, or trial timeout──────┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.core import breaker_effects as do
from ultra_recovery.core import override_effects as override
from ultra_recovery.core import report_effects as heard
from ultra_recovery.core.breaker_state import Event, Happening, Snapshot, Transition, observe
from ultra_recovery.core.errors import IllegalTransition

Guard = Callable[[do.Context], bool]
Effect = Callable[[do.Context], Snapshot]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: in `state` (None: any), on `event`, if `guard` holds, `effect` leads to `next`."""

    state: BreakerState | None
    event: Event
    guard: Guard
    next: BreakerState | None
    effect: Effect


CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN

TRANSITIONS: tuple[Row, ...] = (
    Row(None, Event.OVERRIDE, override.same_override, None, override.renew),
    Row(None, Event.OVERRIDE, override.asks_forced_open, OPEN, override.force_open),
    Row(None, Event.OVERRIDE, override.asks_disabled, CLOSED, override.disable),
    Row(None, Event.OVERRIDE, override.asks_metrics_only, CLOSED, override.watch_only),
    Row(None, Event.OVERRIDE_ENDED, override.forced_open, HALF_OPEN, override.lift_to_trial),
    Row(None, Event.OVERRIDE_ENDED, override.overridden, CLOSED, override.lift_to_closed),
    Row(None, Event.SUCCESS, override.overridden, None, override.record),
    Row(None, Event.FAILURE, override.overridden, None, override.record),
    Row(None, Event.TRIAL_TIMEOUT, override.overridden, None, override.record),
    Row(None, Event.RECOVERY_VERIFIED, override.overridden, None, override.ignore),
    Row(None, Event.REPORTS, override.overridden, None, override.record),
    Row(None, Event.TRIAL_TIME, override.overridden, None, override.record),
    Row(None, Event.RESET, override.overridden, None, override.refuse),
    Row(None, Event.TARGET_CHANGED, override.overridden, None, override.forget_target),
    Row(CLOSED, Event.SUCCESS, do.failure_rate_reached, OPEN, do.open_by_failure_rate),
    Row(CLOSED, Event.SUCCESS, do.slow_call_rate_reached, OPEN, do.open_by_slow_call_rate),
    Row(CLOSED, Event.SUCCESS, do.confirming, CLOSED, do.confirm),
    Row(CLOSED, Event.SUCCESS, do.always, CLOSED, do.clear_failures),
    Row(CLOSED, Event.FAILURE, do.last_failure_allowed, OPEN, do.open),
    Row(CLOSED, Event.FAILURE, do.failure_rate_reached, OPEN, do.open_by_failure_rate),
    Row(CLOSED, Event.FAILURE, do.slow_call_rate_reached, OPEN, do.open_by_slow_call_rate),
    Row(CLOSED, Event.FAILURE, do.always, CLOSED, do.count_failure),
    Row(CLOSED, Event.REPORTS, heard.quorum_reached, OPEN, heard.open_by_reports),
    Row(CLOSED, Event.REPORTS, do.always, CLOSED, heard.take_failures),
    Row(OPEN, Event.FAILURE, do.always, OPEN, do.record_failure),
    Row(OPEN, Event.SUCCESS, do.trial_reached, HALF_OPEN, do.start_trial),
    Row(OPEN, Event.SUCCESS, do.always, OPEN, do.record_success),
    Row(OPEN, Event.RECOVERY_VERIFIED, do.always, HALF_OPEN, do.start_trial),
    Row(OPEN, Event.REPORTS, do.always, OPEN, do.keep),
    Row(OPEN, Event.TRIAL_TIME, heard.may_begin_trial, HALF_OPEN, heard.offer_trial),
    Row(OPEN, Event.TRIAL_TIME, do.always, OPEN, do.keep),
    Row(HALF_OPEN, Event.SUCCESS, do.last_success_needed, CLOSED, do.close),
    Row(HALF_OPEN, Event.SUCCESS, do.always, HALF_OPEN, do.count_success),
    Row(HALF_OPEN, Event.FAILURE, do.always, OPEN, do.reopen),
    Row(HALF_OPEN, Event.ERROR, do.always, HALF_OPEN, do.stand_still),
    Row(HALF_OPEN, Event.TRIAL_TIMEOUT, do.clock_stands, HALF_OPEN, do.keep),
    Row(HALF_OPEN, Event.TRIAL_TIMEOUT, do.always, OPEN, do.time_out),
    Row(HALF_OPEN, Event.REPORTS, heard.trial_failed, OPEN, heard.reopen),
    Row(HALF_OPEN, Event.REPORTS, heard.trial_succeeded, CLOSED, heard.close),
    Row(HALF_OPEN, Event.REPORTS, do.always, HALF_OPEN, heard.take_successes),
    Row(None, Event.ERROR, do.always, None, do.keep),
    Row(None, Event.NEUTRAL, do.always, None, do.keep),
    Row(None, Event.RESET, do.always, CLOSED, do.reset),
    Row(None, Event.TARGET_CHANGED, do.always, CLOSED, do.reset),
)


_ROWS = {event: tuple(row for row in TRANSITIONS if row.event is event) for event in Event}


def step(snapshot: Snapshot, happening: Happening, spec: CircuitBreakerSpec, now: datetime) -> Transition:
    """Apply one event.

    Raises:
        IllegalTransition: the table has no row for this event in this state.
    """
    if happening.epoch is not None and happening.epoch != snapshot.epoch:
        return Transition(snapshot, snapshot, happening.event)
    observed = observe(snapshot, happening, spec, now)
    context = do.Context(observed, happening, spec, now)
    for row in _ROWS[happening.event]:
        if (row.state is None or row.state is snapshot.state) and row.guard(context):
            after = _step_shadow(row.effect(context), happening, spec, now)
            return Transition(snapshot, after, happening.event)
    raise IllegalTransition(f"no row for {happening.event} in state {snapshot.state}")


_SHADOWED = frozenset(
    {
        Event.SUCCESS,
        Event.FAILURE,
        Event.NEUTRAL,
        Event.ERROR,
        Event.TRIAL_TIMEOUT,
        Event.REPORTS,
        Event.TRIAL_TIME,
    }
)


def _step_shadow(snapshot: Snapshot, happening: Happening, spec: CircuitBreakerSpec, now: datetime) -> Snapshot:
    """Let the shadow have the result, too. It has epochs of its own, and no shadow."""
    shadow = snapshot.shadow
    if shadow is None or happening.event not in _SHADOWED:
        return snapshot
    if happening.event is Event.TRIAL_TIMEOUT and shadow.half_open_deadline is None:
        return snapshot
    if happening.event is Event.TRIAL_TIME and shadow.state is not OPEN:
        return snapshot
    # Reporters know nothing of the shadow's epochs: what they wrote since it entered its state is of the present one.
    reports = happening.reports.after(shadow.since) if happening.reports is not None else None
    return replace(snapshot, shadow=step(shadow, replace(happening, epoch=None, reports=reports), spec, now).after)
