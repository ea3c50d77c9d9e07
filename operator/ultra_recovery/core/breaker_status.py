"""Between a breaker's snapshot and the status that everybody reads. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from ultra_recovery.apis.circuit_breaker import (
    BreakerState,
    BreakerTarget,
    CircuitBreakerSpec,
    CircuitBreakerStatus,
    OverrideStatus,
    ServiceRef,
    WindowStatus,
    WouldBe,
)
from ultra_recovery.apis.meta import Condition
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core import conditions
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.breaker_window import figures
from ultra_recovery.core.conditions import Wanted
from ultra_recovery.core.naming import target_digest
from ultra_recovery.core.override import Override
from ultra_recovery.core.pool_figures import to_write
from ultra_recovery.core.probe import Outcome, ProbeResult

_KNOWN_REASONS = {reason.value: reason for reason in Reason}
_PROBED = (Reason.PROBE_SUCCEEDED, Reason.PROBE_FAILED, Reason.EXHAUSTED, Reason.WRONG_NODE)
_MAX_MESSAGE, _MAX_TARGET = 512, 300
_LEFT_OUT = frozenset({"last", "good_since", "failed_at", "changed_at"})
_SHOWN = attrgetter(*(part.name for part in fields(Snapshot) if part.name not in _LEFT_OUT))


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


def shown_by(snapshot: Snapshot, record: BreakerRecord) -> tuple[object, ...]:
    """All that a status tells of a snapshot without a window: while it stays equal, so does the status.

    Whatever a snapshot gets in addition counts as shown until it is left out here.
    """
    last = snapshot.last
    said = (last.outcome, last.reason, last.message if last.outcome is not Outcome.SUCCESS else "") if last else None
    due = record.next_probe_at if snapshot.state is BreakerState.OPEN else None
    return _SHOWN(snapshot), said, tuple(record.handled_resets), record.stalled, due


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
        override=_restore_override(status),
        shadow=_restore_shadow(status.would_be, now),
        pool=status.pool,
    )


def _restore_override(status: CircuitBreakerStatus) -> Override | None:
    known = status.override
    return Override(known.state, known.since, known.until, known.reason or "") if known is not None else None


def _restore_shadow(would_be: WouldBe | None, now: datetime) -> Snapshot | None:
    if would_be is None:
        return None
    return Snapshot(
        state=would_be.state,
        epoch=0,
        since=would_be.since,
        reason=_KNOWN_REASONS.get(would_be.reason, Reason.INITIAL),
        message=would_be.message or "",
        failures=would_be.consecutive_failures,
        successes=would_be.consecutive_successes,
        reopen_count=would_be.reopen_count,
        trial_at=would_be.trial_at,
        half_open_deadline=would_be.half_open_deadline,
        changed_at=now,
    )


def describe_target(target: BreakerTarget) -> str:
    """The target in short, for kubectl get."""
    if target.http is not None:
        return f"http {_place(target.http.service_ref, target.http.path) or target.http.url}"[:_MAX_TARGET]
    if target.tcp is not None:
        return f"tcp {_place(target.tcp.service_ref) or target.tcp.address}"[:_MAX_TARGET]
    if target.prometheus is not None:
        return f"prometheus {_place(target.prometheus.service_ref) or target.prometheus.url}"[:_MAX_TARGET]
    if target.server is not None:
        place = _place(target.server.service_ref) or target.server.address
        return f"{target.kind} {place}/{target.server.database}"[:_MAX_TARGET]
    if target.workload is not None:
        return f"{target.workload.kind.lower()} {target.workload.name}"[:_MAX_TARGET]
    return "external" if target.external is not None else "unknown"


def _place(reference: ServiceRef | None, path: str = "") -> str:
    return f"{reference.name}:{reference.port}{path}" if reference is not None else ""


def status_of(
    snapshot: Snapshot, spec: CircuitBreakerSpec | None, record: BreakerRecord, old: CircuitBreakerStatus, now: datetime
) -> CircuitBreakerStatus:
    """The status to write for a snapshot; without a spec that can be read, what was written of it stays."""
    target = spec.target if spec is not None else None
    opened = snapshot.state is BreakerState.OPEN
    handled = list(record.handled_resets)
    return CircuitBreakerStatus(
        state=snapshot.state,
        epoch=snapshot.epoch,
        since=snapshot.since,
        reason=snapshot.reason,
        message=snapshot.message[:_MAX_MESSAGE],
        target=describe_target(target) if target else old.target,
        target_digest=target_digest(target) if target else old.target_digest,
        consecutive_failures=snapshot.failures,
        consecutive_successes=snapshot.successes,
        reopen_count=snapshot.reopen_count,
        next_probe_at=record.next_probe_at if opened and snapshot.probed else None,
        trial_at=snapshot.trial_at,
        half_open_deadline=snapshot.half_open_deadline,
        unconfirmed=snapshot.unconfirmed or None,
        override=_override_status(snapshot.override),
        would_be=_would_be(snapshot.shadow),
        window=_window_status(snapshot, spec, old, now),
        pool=to_write(snapshot.pool, old.pool),
        reporters=old.reporters,
        trial=old.trial if old.epoch == snapshot.epoch else None,
        last_handled_reset_at=handled[-1] if handled else None,
        handled_resets=handled or None,
        observed_generation=record.generation,
        conditions=_conditions(snapshot, record, old.conditions, now),
    )


def _override_status(override: Override | None) -> OverrideStatus | None:
    if override is None:
        return None
    return OverrideStatus(
        state=override.state, until=override.until, since=override.since, reason=override.reason or None
    )


def _would_be(shadow: Snapshot | None) -> WouldBe | None:
    if shadow is None:
        return None
    return WouldBe(
        state=shadow.state,
        since=shadow.since,
        reason=shadow.reason,
        message=shadow.message[:_MAX_MESSAGE] or None,
        consecutive_failures=shadow.failures,
        consecutive_successes=shadow.successes,
        reopen_count=shadow.reopen_count,
        trial_at=shadow.trial_at,
        half_open_deadline=shadow.half_open_deadline,
    )


def _window_status(
    snapshot: Snapshot, spec: CircuitBreakerSpec | None, old: CircuitBreakerStatus, now: datetime
) -> WindowStatus | None:
    """Figures that change only with the failed or slow calls: good calls alone are not worth a write."""
    found = figures((snapshot.shadow or snapshot).calls, spec.window if spec is not None else None, now)
    if not found.failed and not found.slow:
        return None
    before = old.window
    if before is not None and (before.failed, before.slow) == (found.failed, found.slow):
        return before
    return WindowStatus(calls=found.calls, failed=found.failed, slow=found.slow)


def _conditions(snapshot: Snapshot, record: BreakerRecord, old: Sequence[Condition], now: datetime) -> list[Condition]:
    wanted = []
    if record.stalled is None:
        wanted.append(Wanted(ConditionType.READY, "True", Reason.ENFORCED, _enforced(snapshot)))
    else:
        reason, message = record.stalled
        wanted.append(Wanted(ConditionType.READY, "False", reason, message))
        wanted.append(Wanted(ConditionType.STALLED, "True", reason, message))
    opened = snapshot.state is BreakerState.OPEN
    wanted.append(Wanted(ConditionType.CIRCUIT_OPEN, conditions.truth(opened), snapshot.reason, snapshot.message))
    wanted.append(_target_healthy(snapshot, record, old))
    return conditions.merge(old, wanted, record.generation, now)


def _enforced(snapshot: Snapshot) -> str:
    if snapshot.override is not None:
        return snapshot.override.sentence
    return "callers report to the breaker" if snapshot.external else "the breaker is probed"


def _target_healthy(snapshot: Snapshot, record: BreakerRecord, old: Sequence[Condition]) -> Wanted:
    """What the latest probe or report said, in words that do not change while nothing changes.

    An operator that has just started has no latest probe. What is on record stays until it has one: otherwise every
    start would write every breaker twice, and call healthy targets unknown in between.
    """
    last = snapshot.last
    if record.stalled is not None:
        return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", record.stalled[0], record.stalled[1])
    if not snapshot.observed:
        return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", Reason.DISABLED, "a Disabled breaker is not probed")
    if snapshot.external:
        return _reported_healthy(last)
    if last is None:
        known = next((item for item in old if item.type == ConditionType.TARGET_HEALTHY), None)
        probed = known is not None and known.reason in _PROBED
        if known is not None and probed and not snapshot.unconfirmed:
            return Wanted(ConditionType.TARGET_HEALTHY, known.status, _KNOWN_REASONS[known.reason], known.message)
        return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", Reason.INITIAL, "not probed yet")
    if last.outcome is Outcome.SUCCESS:
        return Wanted(ConditionType.TARGET_HEALTHY, "True", Reason.PROBE_SUCCEEDED, "the last probe succeeded")
    if last.outcome is Outcome.FAILURE:
        return Wanted(ConditionType.TARGET_HEALTHY, "False", last.reason, last.message)
    return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", last.reason, last.message)


def _reported_healthy(last: ProbeResult | None) -> Wanted:
    if last is None:
        message = "nobody has reported for a minute"
        return Wanted(ConditionType.TARGET_HEALTHY, "Unknown", Reason.NO_REPORTS, message)
    if last.outcome is Outcome.SUCCESS:
        return Wanted(ConditionType.TARGET_HEALTHY, "True", last.reason, "the newest report is a success")
    status: conditions.Status = "False" if last.outcome is Outcome.FAILURE else "Unknown"
    return Wanted(ConditionType.TARGET_HEALTHY, status, last.reason, last.message)


def is_urgent(new: CircuitBreakerStatus, old: CircuitBreakerStatus) -> bool:
    """Whether a difference must be written at once: a transition, a handled request, a changed spec or override.

    Somebody who has just applied a breaker waits for the first thing that is known of its target: that counts, too.
    """
    return _hard_part(new) != _hard_part(old) or (_is_unknown_yet(old) and not _is_unknown_yet(new))


def _is_unknown_yet(status: CircuitBreakerStatus) -> bool:
    reasons = [item.reason for item in status.conditions if item.type == ConditionType.TARGET_HEALTHY]
    return reasons == [Reason.INITIAL]


def enforcement_differs(new: CircuitBreakerStatus, old: CircuitBreakerStatus) -> bool:
    """Whether the object became enforceable, or not enforceable, or is so for another reason."""
    return _enforcement(new) != _enforcement(old)


def _enforcement(status: CircuitBreakerStatus) -> tuple[object, ...]:
    return _part(status, ConditionType.READY, ConditionType.STALLED)


def _part(status: CircuitBreakerStatus, *types: ConditionType) -> tuple[object, ...]:
    return tuple((item.type, item.status, item.reason) for item in status.conditions if item.type in types)


def _hard_part(status: CircuitBreakerStatus) -> tuple[object, ...]:
    override = status.override
    return (
        status.state,
        status.epoch,
        status.target_digest,
        status.unconfirmed,
        (override.state, override.until, override.reason) if override is not None else None,
        status.would_be.state if status.would_be is not None else None,
        tuple(status.handled_resets or ()),
        status.observed_generation,
        _part(status, ConditionType.CIRCUIT_OPEN),
    )
