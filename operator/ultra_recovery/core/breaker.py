"""The circuit breaker: its state machine as a table of data, and the one function that applies it.

Everything about transitions stands in TRANSITIONS. The first row whose state, event and guard fit is taken. An event
without a row raises IllegalTransition and changes nothing. Probe results that carry an older epoch are dropped before
the table is asked: they belong to a history that a transition or a reset has closed.

    Closed ──failures──▶ Open ──success at the trial time──▶ HalfOpen ──successes──▶ Closed
                          ▲                                     │
                          └──────failure, or trial timeout──────┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.core import breaker_effects as do
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
    Row(CLOSED, Event.SUCCESS, do.confirming, CLOSED, do.confirm),
    Row(CLOSED, Event.SUCCESS, do.always, CLOSED, do.clear_failures),
    Row(CLOSED, Event.FAILURE, do.last_failure_allowed, OPEN, do.open),
    Row(CLOSED, Event.FAILURE, do.always, CLOSED, do.count_failure),
    Row(OPEN, Event.FAILURE, do.always, OPEN, do.record_failure),
    Row(OPEN, Event.SUCCESS, do.trial_reached, HALF_OPEN, do.start_trial),
    Row(OPEN, Event.SUCCESS, do.always, OPEN, do.record_success),
    Row(OPEN, Event.RECOVERY_VERIFIED, do.always, HALF_OPEN, do.start_trial),
    Row(HALF_OPEN, Event.SUCCESS, do.last_success_needed, CLOSED, do.close),
    Row(HALF_OPEN, Event.SUCCESS, do.always, HALF_OPEN, do.count_success),
    Row(HALF_OPEN, Event.FAILURE, do.always, OPEN, do.reopen),
    Row(HALF_OPEN, Event.ERROR, do.always, HALF_OPEN, do.stop_trial_clock),
    Row(HALF_OPEN, Event.TRIAL_TIMEOUT, do.always, OPEN, do.time_out),
    Row(None, Event.ERROR, do.always, None, do.keep),
    Row(None, Event.NEUTRAL, do.always, None, do.keep),
    Row(None, Event.RESET, do.always, CLOSED, do.reset),
    Row(None, Event.TARGET_CHANGED, do.always, CLOSED, do.reset),
)


def step(snapshot: Snapshot, happening: Happening, spec: CircuitBreakerSpec, now: datetime) -> Transition:
    """Apply one event.

    Raises:
        IllegalTransition: the table has no row for this event in this state.
    """
    if happening.epoch is not None and happening.epoch != snapshot.epoch:
        return Transition(snapshot, snapshot, happening.event)
    observed = observe(snapshot, happening)
    context = do.Context(observed, happening, spec, now)
    for row in TRANSITIONS:
        if row.event is happening.event and row.state in (None, snapshot.state) and row.guard(context):
            return Transition(snapshot, row.effect(context), happening.event)
    raise IllegalTransition(f"no row for {happening.event} in state {snapshot.state}")
