"""When a breaker is probed next. Pure: the answer is a moment, never a wait."""

from __future__ import annotations

from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.probe import Outcome


def next_probe_at(
    snapshot: Snapshot, spec: CircuitBreakerSpec, last_started: datetime, *, watched: bool, attended: bool = False
) -> datetime:
    """The moment of the next probe.

    HalfOpen, after a reset, or while a run verifies against this breaker (`watched`): trialInterval. Open: interval,
    plus one probe exactly at the trial time, whichever comes first. Closed: retryInterval after a failure and while a
    policy attends to the figures of a database (`attended`), else interval. Counted from the start of the last probe,
    so that a slow answer does not stretch the rhythm. Under the override MetricsOnly the rhythm is that of what the
    breaker would be.
    """
    probe = spec.probe
    snapshot = snapshot.shadow or snapshot
    if snapshot.state is BreakerState.HALF_OPEN or snapshot.confirming or watched:
        return last_started + probe.trial_interval
    if snapshot.state is BreakerState.OPEN:
        regular = last_started + probe.interval
        trial_at = snapshot.trial_at
        return trial_at if trial_at is not None and last_started < trial_at < regular else regular
    failed = snapshot.last is not None and snapshot.last.outcome is Outcome.FAILURE
    return last_started + (probe.retry_interval if (failed or attended) and probe.retry_interval else probe.interval)
