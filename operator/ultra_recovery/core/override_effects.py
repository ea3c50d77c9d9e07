"""Guards and effects of overrides. Their first docstring lines are the words of the drawn table."""

from __future__ import annotations

from dataclasses import replace

from ultra_recovery.apis.circuit_breaker import BreakerState, OverrideState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_effects import Context, enter, trial_deadline
from ultra_recovery.core.breaker_state import Snapshot, first_snapshot


def _asked(context: Context) -> OverrideState | None:
    return context.happening.override.state if context.happening.override is not None else None


def _in_force(context: Context) -> OverrideState | None:
    return context.snapshot.override.state if context.snapshot.override is not None else None


def overridden(context: Context) -> bool:
    """An override is in force."""
    return context.snapshot.override is not None


def forced_open(context: Context) -> bool:
    """The override ForcedOpen was in force."""
    return _in_force(context) is OverrideState.FORCED_OPEN


def same_override(context: Context) -> bool:
    """The override in force has this state already; its `until` or its reason was changed."""
    return _asked(context) is not None and _asked(context) is _in_force(context)


def asks_forced_open(context: Context) -> bool:
    """The override is ForcedOpen."""
    return _asked(context) is OverrideState.FORCED_OPEN


def asks_disabled(context: Context) -> bool:
    """The override is Disabled."""
    return _asked(context) is OverrideState.DISABLED


def asks_metrics_only(context: Context) -> bool:
    """The override is MetricsOnly."""
    return _asked(context) is OverrideState.METRICS_ONLY


def record(context: Context) -> Snapshot:
    """Recorded for TargetHealthy; no transition. Under MetricsOnly, `wouldBe` follows the table."""
    return context.snapshot


def refuse(context: Context) -> Snapshot:
    """Refused with an Event; the request counts as handled."""
    return context.snapshot


def ignore(context: Context) -> Snapshot:
    """Nothing."""
    return context.snapshot


def forget_target(context: Context) -> Snapshot:
    """The override stays; what is known of the old target is forgotten, epoch + 1. `wouldBe` begins anew."""
    snapshot = context.snapshot
    shadow = first_snapshot(context.now) if snapshot.shadow is not None else None
    return replace(snapshot, epoch=snapshot.epoch + 1, last=None, good_since=None, shadow=shadow)


def renew(context: Context) -> Snapshot:
    """The new `until` and reason are taken over."""
    snapshot, asked = context.snapshot, context.happening.override
    if asked is None or snapshot.override is None:
        return snapshot
    renewed = replace(asked, since=snapshot.override.since)
    return replace(snapshot, override=renewed, message=renewed.sentence)


def force_open(context: Context) -> Snapshot:
    """Open without a trial time; probes go on."""
    return _begin(context, BreakerState.OPEN, Reason.FORCED_OPEN)


def disable(context: Context) -> Snapshot:
    """Closed, and no probes."""
    disabled = _begin(context, BreakerState.CLOSED, Reason.DISABLED)
    return replace(disabled, last=None, good_since=None)


def watch_only(context: Context) -> Snapshot:
    """Closed; `wouldBe` begins Closed with nothing counted."""
    return replace(_begin(context, BreakerState.CLOSED, Reason.METRICS_ONLY), shadow=first_snapshot(context.now))


def _begin(context: Context, state: BreakerState, reason: Reason) -> Snapshot:
    override = context.happening.override
    begun = enter(context, state, reason, override.sentence if override is not None else "")
    return replace(begun, override=override, reopen_count=0, unconfirmed=False)


def lift_to_trial(context: Context) -> Snapshot:
    """Begin a trial with no success yet."""
    trial = enter(context, BreakerState.HALF_OPEN, _why(context), f"trial started: {_ended(context)}")
    return replace(trial, half_open_deadline=trial_deadline(context))


def lift_to_closed(context: Context) -> Snapshot:
    """A fresh window, probed at once and at trialInterval as after a reset; nothing is proven until a fresh success."""
    closed = enter(context, BreakerState.CLOSED, _why(context), _ended(context))
    return replace(closed, unconfirmed=True, confirming=True, last=None, good_since=None)


def _why(context: Context) -> Reason:
    return Reason.OVERRIDE_REMOVED if context.spec.override is None else Reason.OVERRIDE_EXPIRED


def _ended(context: Context) -> str:
    how = "was removed" if context.spec.override is None else "is over"
    return f"spec.override {_in_force(context)} {how}"
