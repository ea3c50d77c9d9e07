"""What is told of runs: the difference between what was written before and now."""

from __future__ import annotations

from datetime import datetime

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, RecoveryRunStatus, RunPhase, StepStatus
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Run

_WARNINGS = (RunPhase.FAILED, RunPhase.ERROR, RunPhase.INCONCLUSIVE)


def of_run(run: Run, new: RecoveryRunStatus) -> list[Notice]:
    """What a new status says that the old one did not."""
    old = run.status
    news: list[Notice] = []
    if new.phase is not None and new.phase != old.phase:
        news.append(_phase(run, new, new.phase))
    for index, step in enumerate(new.steps):
        before = old.steps[index] if index < len(old.steps) else None
        news += _step(run, step, before)
    return news


def _labels(run: Run) -> dict[str, str]:
    policy = run.spec.policy_name if run.spec else ""
    return {"namespace": run.meta.key.namespace, "policy": policy}


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin is not None and end is not None else None


def _phase(run: Run, new: RecoveryRunStatus, phase: RunPhase) -> Notice:
    values = {
        "duration": _seconds(new.started_at, new.finished_at),
        "time_to_detect": _seconds(new.fault_observed_at, new.detected_at),
        "time_to_recover": _seconds(new.fault_observed_at, new.recovered_at),
    }
    attempt = any(step.effect_count for step in new.steps)
    labels = {**_labels(run), "phase": phase, "attempt": "true" if attempt else "false"}
    reason = Reason(new.reason) if new.reason else Reason.PENDING
    return Notice(
        Topic.RUN,
        run.meta.key,
        run.meta.uid,
        reason,
        f"{phase}: {new.message or reason}",
        warning=phase in _WARNINGS,
        labels=labels,
        values={name: value for name, value in values.items() if value is not None} if phase.completed else {},
    )


def _step(run: Run, step: StepStatus, before: StepStatus | None) -> list[Notice]:
    key, uid, labels = run.meta.key, run.meta.uid, {**_labels(run), "step": step.name}
    news: list[Notice] = []
    waits = step.waiting_since is not None and step.reason is not None
    if waits and (before is None or before.reason != step.reason) and step.reason is not None:
        message = f"step {step.name} waits: {step.message}"
        news.append(Notice(Topic.STEP, key, uid, Reason(step.reason), message, warning=True, labels=labels))
    known = {effect.id: effect for effect in before.effects} if before else {}
    for effect in step.effects:
        seen = known.get(effect.id)
        if effect.outcome is not None and (seen is None or seen.outcome is None):
            done = effect.outcome is EffectOutcome.EVICTED
            reason = Reason.EVICTED if done else Reason.EFFECT_FAILED if effect.message else Reason.NOTHING_TO_DO
            message = f"step {step.name}: pod {effect.object}: {effect.outcome}"
            labelled = {**labels, "kind": effect.kind, "outcome": effect.outcome}
            news.append(Notice(Topic.EFFECT, key, uid, reason, message, not done, labels=labelled))
    if step.result is not None and (before is None or before.result is None):
        reason = Reason(step.reason) if step.reason else Reason.VERIFIED
        message = f"step {step.name}: {step.result}: {step.message or ''}"
        news.append(Notice(Topic.STEP, key, uid, reason, message, labels={**labels, "result": step.result}))
    return news
