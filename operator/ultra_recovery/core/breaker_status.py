"""Between a breaker's snapshot and the status that everybody reads. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState, BreakerTarget, CircuitBreakerStatus
from ultra_recovery.apis.meta import Condition
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core import conditions
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.conditions import Wanted
from ultra_recovery.core.naming import spec_digest
from ultra_recovery.core.probe import Outcome

_KNOWN_REASONS = {reason.value: reason for reason in Reason}
_MAX_MESSAGE, _MAX_TARGET = 512, 300


@dataclass(frozen=True, slots=True)
class BreakerRecord:
    """What is written besides the snapshot.

    Attributes:
        stalled: why the breaker cannot be enforced, as (reason, message), or None.
        next_probe_at: when the next probe is due.
    """

    generation: int
    handled_resets: Sequence[str]
    stalled: tuple[Reason, str] | None = None
    next_probe_at: datetime | None = None


def restore(status: CircuitBreakerStatus, now: datetime) -> Snapshot | None:
    """The snapshot that a status tells of; None for a status that was never written.

    The latest result is not in it: a restarted operator knows nothing of the target until it has probed.
    """
    if status.state is None:
        return None
    return Snapshot(
        state=status.state,
        epoch=status.epoch,
        since=status.since or now,
        reason=_KNOWN_REASONS.get(status.reason or "", Reason.INITIAL),
        message=status.message or "",
        failures=status.consecutive_failures,
        successes=status.consecutive_successes,
        reopen_count=status.reopen_count,
        trial_at=status.trial_at,
        half_open_deadline=status.half_open_deadline,
        unconfirmed=bool(status.unconfirmed),
        confirming=bool(status.unconfirmed),
        changed_at=now,
    )


def describe_target(target: BreakerTarget) -> str:
    """The target in short, for kubectl get."""
    if target.http is not None:
        http = target.http
        if http.service_ref is not None:
            return f"http {http.service_ref.name}:{http.service_ref.port}{http.path}"[:_MAX_TARGET]
        return f"http {http.url}"[:_MAX_TARGET]
    if target.workload is not None:
        return f"{target.workload.kind.lower()} {target.workload.name}"[:_MAX_TARGET]
    return "unknown"


def status_of(
    snapshot: Snapshot, target: BreakerTarget | None, record: BreakerRecord, old: CircuitBreakerStatus, now: datetime
) -> CircuitBreakerStatus:
    """The status to write for a snapshot."""
    opened = snapshot.state is BreakerState.OPEN
    handled = list(record.handled_resets)
    return CircuitBreakerStatus(
        state=snapshot.state,
        epoch=snapshot.epoch,
        since=snapshot.since,
        reason=snapshot.reason,
        message=snapshot.message[:_MAX_MESSAGE],
        target=describe_target(target) if target else old.target,
        target_digest=spec_digest(target) if target else old.target_digest,
        consecutive_failures=snapshot.failures,
        consecutive_successes=snapshot.successes,
        reopen_count=snapshot.reopen_count,
        next_probe_at=record.next_probe_at if opened else None,
        trial_at=snapshot.trial_at,
        half_open_deadline=snapshot.half_open_deadline,
        unconfirmed=snapshot.unconfirmed or None,
        last_handled_reset_at=handled[-1] if handled else None,
        handled_resets=handled or None,
        observed_generation=record.generation,
        conditions=_conditions(snapshot, record, old.conditions, now),
    )


def _conditions(snapshot: Snapshot, record: BreakerRecord, old: Sequence[Condition], now: datetime) -> list[Condition]:
    wanted = []
    if record.stalled is None:
        wanted.append(Wanted(ConditionType.READY, "True", Reason.ENFORCED, "the breaker is probed"))
    else:
        reason, message = record.stalled
        wanted.append(Wanted(ConditionType.READY, "False", reason, message))
        wanted.append(Wanted(ConditionType.STALLED, "True", reason, message))
    opened = snapshot.state is BreakerState.OPEN
    wanted.append(Wanted(ConditionType.CIRCUIT_OPEN, conditions.truth(opened), snapshot.reason, snapshot.message))
    wanted.append(_target_healthy(snapshot, record, old))
    return conditions.merge(old, wanted, record.generation, now)


def _target_healthy(snapshot: Snapshot, record: BreakerRecord, old: Sequence[Condition]) -> Wanted:
    """What the latest probe said, in words that do not change while nothing changes.

    An operator that has just started has no latest probe. What is on record stays until it has one: otherwise every
    start would write every breaker twice, and call healthy targets unknown in between.
    """
    last = snapshot.last
    if record.stalled is not None:
        return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", record.stalled[0], record.stalled[1])
    if last is None:
        known = next((item for item in old if item.type == ConditionType.TARGET_HEALTHY), None)
        probed = known is not None and known.reason in (Reason.PROBE_SUCCEEDED, Reason.PROBE_FAILED)
        if known is not None and probed and not snapshot.unconfirmed:
            return Wanted(ConditionType.TARGET_HEALTHY, known.status, _KNOWN_REASONS[known.reason], known.message)
        return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", Reason.INITIAL, "not probed yet")
    if last.outcome is Outcome.SUCCESS:
        return Wanted(ConditionType.TARGET_HEALTHY, "True", Reason.PROBE_SUCCEEDED, "the last probe succeeded")
    if last.outcome is Outcome.FAILURE:
        return Wanted(ConditionType.TARGET_HEALTHY, "False", Reason.PROBE_FAILED, last.message)
    return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", last.reason, last.message)


def is_urgent(new: CircuitBreakerStatus, old: CircuitBreakerStatus) -> bool:
    """Whether a difference must be written at once: everything but counters, messages and the health of the target."""
    return _hard_part(new) != _hard_part(old)


def _hard_part(status: CircuitBreakerStatus) -> tuple[object, ...]:
    conditions_part = tuple(
        (item.type, item.status, item.reason)
        for item in status.conditions
        if item.type in (ConditionType.READY, ConditionType.STALLED, ConditionType.CIRCUIT_OPEN)
    )
    handled = tuple(status.handled_resets or ())
    return (
        status.state,
        status.epoch,
        status.target_digest,
        status.unconfirmed,
        handled,
        status.observed_generation,
        conditions_part,
    )
