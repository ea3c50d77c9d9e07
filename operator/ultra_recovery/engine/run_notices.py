"""What is told of runs: the difference between what was written before and now."""

from __future__ import annotations

from datetime import datetime

from ultra_recovery.actions.notify import NOTIFY
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RecoveryRunStatus, RunPhase, StepStatus
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Policy, Run

_WARNINGS = (RunPhase.FAILED, RunPhase.ERROR, RunPhase.INCONCLUSIVE)


def of_run(run: Run, new: RecoveryRunStatus, policy: Policy | None) -> list[Notice]:
    """What a new status says that the old one did not.

    Args:
        run: the run as it was.
        new: its new status.
        policy: its policy, where people look for notifications; None when it is gone.
    """
    old = run.status
    news: list[Notice] = []
    if new.phase is not None and new.phase != old.phase:
        news.append(_phase(run, new, new.phase))
    news += _start(run, new)
    for index, step in enumerate(new.steps):
        before = old.steps[index] if index < len(old.steps) else None
        news += _step(run, step, before)
        news += _messages(run, policy, step, before)
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
    dry = run.spec is not None and run.spec.dry_run
    labels = {**_labels(run), "phase": phase, "attempt": "true" if attempt else "false"}
    labels["dry_run"] = "true" if dry else "false"
    reason = Reason(new.reason) if new.reason else Reason.PENDING
    return Notice(
        Topic.RUN,
        run.meta.key,
        run.meta.uid,
        reason,
        f"{phase}: {new.message or reason}{_requested(run)}",
        warning=phase in _WARNINGS,
        labels=labels,
        values={name: value for name, value in values.items() if value is not None} if phase.completed else {},
    )


def _requested(run: Run) -> str:
    """The request that asked for the run, so that an Event can be traced to its caller."""
    return f" (request {run.spec.request_id})" if run.spec is not None and run.spec.request_id else ""


def _start(run: Run, new: RecoveryRunStatus) -> list[Notice]:
    """A run that is ready and may not start says what it waits for."""
    known = (None, Reason.PENDING, run.status.reason)
    if new.phase is not RunPhase.PENDING or new.reason is None or new.reason in known:
        return []
    message = f"the run waits to start: {new.message}"
    return [Notice(Topic.WAIT, run.meta.key, run.meta.uid, Reason(new.reason), message, True, labels=_labels(run))]


def _step(run: Run, step: StepStatus, before: StepStatus | None) -> list[Notice]:
    key, uid, labels = run.meta.key, run.meta.uid, {**_labels(run), "step": step.name}
    news: list[Notice] = []
    waits = step.waiting_since is not None and step.reason is not None
    if waits and (before is None or before.reason != step.reason) and step.reason is not None:
        message = f"step {step.name} waits: {step.message}"
        news.append(Notice(Topic.WAIT, key, uid, Reason(step.reason), message, warning=True, labels=labels))
    for effect in _decided(step, before):
        reason, warning = _OUTCOMES[effect.outcome] if effect.outcome else (Reason.STEP_RUNNING, False)
        if effect.kind == NOTIFY:
            continue
        message = f"step {step.name}: {effect.kind} {effect.object}: {effect.outcome}"
        message += f": {effect.message}" if effect.message else ""
        labelled = {**labels, "kind": effect.kind, "outcome": effect.outcome or ""}
        news.append(Notice(Topic.EFFECT, key, uid, reason, message, warning, labels=labelled))
    if step.result is not None and (before is None or before.result is None):
        reason = Reason(step.reason) if step.reason else Reason.VERIFIED
        message = f"step {step.name}: {step.result}: {step.message or ''}"
        news.append(Notice(Topic.STEP, key, uid, reason, message, labels={**labels, "result": step.result}))
    return news


def _decided(step: StepStatus, before: StepStatus | None) -> list[EffectStatus]:
    """The effects whose outcome is new, or has become another one."""
    known = {effect.id: effect.outcome for effect in before.effects} if before else {}
    return [item for item in step.effects if item.outcome is not None and known.get(item.id) != item.outcome]


def _messages(run: Run, policy: Policy | None, step: StepStatus, before: StepStatus | None) -> list[Notice]:
    """Notifications are Events on the policy, whether or not the webhook took them."""
    subject = policy.meta if policy is not None else run.meta
    news = []
    for effect in _decided(step, before):
        if effect.kind != NOTIFY or effect.outcome is EffectOutcome.DRY_RUN:
            continue
        failed = effect.outcome is not EffectOutcome.DELIVERED
        reason = Reason.NOTIFICATION_FAILED if failed else Reason.NOTIFIED
        text = _text(run, step.name)
        message = f"run {run.meta.key.name}, step {step.name}: {effect.object}{': ' + text if text else ''}"
        message += f" (webhook: {effect.message})" if failed and effect.message else ""
        labels = {**_labels(run), "step": step.name, "outcome": effect.outcome or ""}
        news.append(Notice(Topic.NOTIFICATION, subject.key, subject.uid, reason, message, warning=True, labels=labels))
    return news


def _text(run: Run, step: str) -> str:
    """What the user wants to be told with it."""
    rungs = run.status.plan.ladder if run.status.plan else []
    notify = next((rung.action.notify for rung in rungs if rung.name == step), None)
    return (notify.message if notify is not None else None) or ""


_OUTCOMES: dict[EffectOutcome, tuple[Reason, bool]] = {
    EffectOutcome.EVICTED: (Reason.EVICTED, False),
    EffectOutcome.CREATED: (Reason.JOB_CREATED, False),
    EffectOutcome.CALLED: (Reason.HOOK_CALLED, False),
    EffectOutcome.DELIVERED: (Reason.NOTIFIED, False),
    EffectOutcome.GONE: (Reason.NOTHING_TO_DO, True),
    EffectOutcome.WITHDRAWN: (Reason.NOTHING_TO_DO, True),
    EffectOutcome.FAILED: (Reason.EFFECT_FAILED, True),
    EffectOutcome.UNKNOWN: (Reason.OUTCOME_UNKNOWN, True),
    EffectOutcome.DRY_RUN: (Reason.DRY_RUN, False),
}
"""The reason of the Event for an outcome, and whether it is a warning."""
