"""From the frozen views of objects to what the API shows of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ultra_recovery.apis.meta import RESET_ANNOTATION, Condition, format_time
from ultra_recovery.apis.run_status import RunPhase, StepStatus
from ultra_recovery.core.objects import AnyObject, Breaker, Key, Run
from ultra_recovery.rest.answers import BreakerView, ReportLine, RunReport, RunView, StepView, as_json
from ultra_recovery.rest.cache import Cache


def moment(value: datetime | None) -> str | None:
    """A time as it is shown."""
    return format_time(value) if value is not None else None


def condition(conditions: list[Condition], kind: str) -> str:
    """The status of a condition, Unknown when it is not there."""
    return next((item.status for item in conditions if item.type == kind), "Unknown")


def service_name(item: AnyObject) -> str:
    """The name that every call takes."""
    return f"{item.meta.key.namespace}/{item.meta.key.name}"


def breaker_view(item: Breaker) -> BreakerView:
    """What is shown of a breaker."""
    status, key = item.status, item.meta.key
    return BreakerView(
        service_name=service_name(item),
        namespace=key.namespace,
        name=key.name,
        state=status.state,
        since=moment(status.since),
        reason=status.reason,
        message=status.message,
        epoch=status.epoch,
        healthy=condition(status.conditions, "TargetHealthy"),
        ready=condition(status.conditions, "Ready"),
        target_kind=item.spec.target.kind if item.spec is not None else "unknown",
        target=status.target,
        consecutive_failures=status.consecutive_failures,
        consecutive_successes=status.consecutive_successes,
        reopen_count=status.reopen_count,
        next_probe_at=moment(status.next_probe_at),
        trial_at=moment(status.trial_at),
        override=status.override.state if status.override is not None else None,
        reset_requested=item.meta.annotations.get(RESET_ANNOTATION),
        reset_handled=status.last_handled_reset_at,
        resource_version=item.meta.version,
    )


def run_view(item: Run) -> RunView:
    """What is shown of a run in lists."""
    spec, status, key = item.spec, item.status, item.meta.key
    return RunView(
        namespace=key.namespace,
        name=key.name,
        policy=spec.policy_name if spec is not None else "",
        phase=status.phase or RunPhase.PENDING,
        reason=status.reason,
        message=status.message or item.problem or None,
        cause=spec.cause if spec is not None else "",
        incident=spec.incident if spec is not None else None,
        attempt=spec.attempt if spec is not None else None,
        error_type=spec.error_type if spec is not None else None,
        dry_run=spec.dry_run if spec is not None else False,
        force=spec.force if spec is not None else False,
        current_step=status.current_step,
        requested_by=spec.requested_by if spec is not None else None,
        request_id=spec.request_id if spec is not None else None,
        created_at=moment(item.meta.created_at),
        started_at=moment(status.started_at),
        recovered_at=moment(status.recovered_at),
        finished_at=moment(status.finished_at),
        resource_version=item.meta.version,
    )


def step_view(step: StepStatus) -> StepView:
    """What is shown of a step."""
    return StepView(
        name=step.name,
        state=step.state,
        result=step.result,
        reason=step.reason,
        message=step.message,
        started_at=moment(step.started_at),
        finished_at=moment(step.finished_at),
        effects=step.effect_count,
        awaits_approval=step.approval_requested_at is not None and step.approved_at is None and step.result is None,
    )


def run_report(item: Run, *, stale: bool, age_seconds: float | None) -> RunReport:
    """A run as a story in the order of time."""
    status = item.status
    told: list[tuple[datetime | None, str]] = [
        (status.fault_observed_at, "first bad observation"),
        (status.detected_at, "the incident opened"),
        (item.meta.created_at, f"the run was created{_because(item)}"),
        (status.started_at, "the run started to act"),
        (status.recovered_at, "first good observation of the verification that held"),
        (status.finished_at, f"{status.phase}: {status.message or status.reason or ''}".rstrip(": ")),
    ]
    for step in status.steps:
        told += _story_of(step)
    timeline = sorted((time, text) for time, text in told if time is not None)
    phase = status.phase or RunPhase.PENDING
    return RunReport(
        stale=stale,
        age_seconds=age_seconds,
        run=run_view(item),
        headline=f"{phase}: {status.message or status.reason or 'the operator has not seen it yet'}",
        timeline=[ReportLine(time=format_time(time), text=text) for time, text in timeline],
        seconds_to_detect=_seconds(status.fault_observed_at, status.detected_at),
        seconds_to_recover=_seconds(status.fault_observed_at, status.recovered_at),
    )


def _because(item: Run) -> str:
    spec = item.spec
    if spec is None:
        return ""
    who = f" by {spec.requested_by}" if spec.requested_by else ""
    why = f": {spec.reason}" if spec.reason else ""
    return f" ({spec.cause}{who}{why})"


def _story_of(step: StepStatus) -> list[tuple[datetime | None, str]]:
    told: list[tuple[datetime | None, str]] = [
        (step.approval_requested_at, f"step {step.name} asks for approval"),
        (step.approved_at, f"step {step.name} was approved"),
        (step.started_at, f"step {step.name} began"),
        (step.finished_at, f"step {step.name}: {step.result}: {step.message or ''}".rstrip(": ")),
    ]
    for effect in step.effects:
        told.append((effect.intent_at, f"step {step.name}: {effect.kind} {effect.object}"))
        if effect.outcome is not None:
            told.append((effect.outcome_at, f"step {step.name}: {effect.kind} {effect.object}: {effect.outcome}"))
    return told


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin is not None and end is not None else None


class Fragments:
    """The JSON of objects, made once per version: a page is then only put together."""

    def __init__(self, cache: Cache) -> None:
        self._kept: dict[Key, tuple[str, bytes]] = {}
        cache.subscribe(self._changed)

    def breaker(self, item: Breaker) -> bytes:
        """A breaker's JSON."""
        return self._of(item, lambda: as_json(breaker_view(item)))

    def run(self, item: Run) -> bytes:
        """A run's JSON."""
        return self._of(item, lambda: as_json(run_view(item)))

    def _of(self, item: AnyObject, make: Callable[[], bytes]) -> bytes:
        kept = self._kept.get(item.meta.key)
        if kept is None or kept[0] != item.meta.version:
            kept = self._kept[item.meta.key] = (item.meta.version, make())
        return kept[1]

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        if item is None:
            self._kept.pop(key, None)
