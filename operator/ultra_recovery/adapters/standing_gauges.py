"""Gauges of where objects stand: the alerts are made on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.core.standing import BreakerStanding, PolicyStanding, Standing

STATE_NUMBER = {BreakerState.CLOSED: 0.0, BreakerState.OPEN: 1.0, BreakerState.HALF_OPEN: 2.0}
STANDING_GAUGES = (
    "recovery_breaker_state",
    "recovery_breaker_consecutive_failures",
    "recovery_breaker_open_since_timestamp_seconds",
    "recovery_breaker_stalled",
    "recovery_active_runs",
    "recovery_runs_awaiting_approval",
    "recovery_run_start_timestamp_seconds",
    "recovery_target_unavailable_since_timestamp_seconds",
    "recovery_policy_blocked_since_timestamp_seconds",
    "recovery_policy_needs_human",
    "recovery_policy_stalled",
    "recovery_queue_lag_seconds",
)
"""Series that are replaced as a whole at each scrape, and that only the leader has."""

Sample = tuple[str, Mapping[str, str], float | None]
"""Name of a series, its labels in the order of its declaration, and its value; None: there is none."""


def standing_samples(standing: Standing) -> Iterator[Sample]:
    """All gauges of a moment. Of ten thousand healthy breakers only the state is worth a series each."""
    for breaker in standing.breakers:
        yield from _of_breaker(breaker)
    for policy in standing.policies:
        yield from _of_policy(policy)
    for queue, lag in standing.queue_lags.items():
        yield "recovery_queue_lag_seconds", {"queue": queue}, lag


def _of_breaker(item: BreakerStanding) -> Iterator[Sample]:
    labels = {"namespace": item.namespace, "breaker": item.name}
    yield "recovery_breaker_state", labels, STATE_NUMBER[item.state] if item.state is not None else None
    yield "recovery_breaker_consecutive_failures", labels, float(item.failures) or None
    yield "recovery_breaker_open_since_timestamp_seconds", labels, _moment(item.open_since)
    yield "recovery_breaker_stalled", labels, float(item.stalled) or None


def _of_policy(item: PolicyStanding) -> Iterator[Sample]:
    labels = {"namespace": item.namespace, "policy": item.name}
    yield "recovery_active_runs", labels, float(item.active)
    yield "recovery_runs_awaiting_approval", labels, float(item.awaiting)
    yield "recovery_run_start_timestamp_seconds", labels, _moment(item.run_began_at)
    yield "recovery_target_unavailable_since_timestamp_seconds", labels, _moment(item.unavailable_since)
    blocked = {**labels, "reason": item.gate}
    yield "recovery_policy_blocked_since_timestamp_seconds", blocked, _moment(item.blocked_since)
    yield "recovery_policy_needs_human", labels, float(item.needs_human)
    yield "recovery_policy_stalled", labels, float(item.stalled) or None


def _moment(value: datetime | None) -> float | None:
    return value.timestamp() if value is not None else None
