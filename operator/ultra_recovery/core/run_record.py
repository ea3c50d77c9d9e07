"""Changes of a run's status, one function each. Pure: old status in, new status out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ultra_recovery.apis.policy_status import IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.run_status import (
    MAX_LISTED_EFFECTS,
    EffectOutcome,
    EffectStatus,
    Plan,
    RecoveryRunStatus,
    RunPhase,
    StepResult,
    StepState,
    StepStatus,
    TargetSnapshot,
)
from ultra_recovery.core.objects import Workload

_MAX_TEXT = 1024


def claim(status: RecoveryRunStatus, term: int, now: datetime) -> RecoveryRunStatus:
    """A leader takes the run over. From this write on an older leader's next write is refused.

    Nobody looked while there was no leader, so a verification that was going on begins again.
    """
    steps = [
        step.model_copy(update={"verify_started_at": now}) if step.state is StepState.VERIFYING else step
        for step in status.steps
    ]
    return status.model_copy(update={"leader_term": term, "steps": steps, "phase": status.phase or RunPhase.PENDING})


def adopt_plan(
    status: RecoveryRunStatus,
    spec: RecoveryPolicySpec,
    generation: int,
    triggers: Sequence[str],
    workload: Workload,
    incident: IncidentStatus | None,
) -> RecoveryRunStatus:
    """Copy what the run goes by from the policy, and the target as it is now."""
    plan = Plan(
        policy_generation=generation,
        target_ref=spec.target_ref,
        triggers=[trigger for trigger in spec.triggers if trigger.name in triggers],
        ladder=spec.ladder,
        verify=spec.verify,
        limits=spec.limits,
    )
    key = workload.meta.key
    target = TargetSnapshot(kind=key.kind, name=key.name, uid=workload.meta.uid, generation=workload.meta.generation)
    times: dict[str, Any] = {}
    if incident is not None:
        times = {"fault_observed_at": incident.fault_observed_at, "detected_at": incident.opened_at}
    return status.model_copy(update={"plan": plan, "target": target, "reason": Reason.PENDING, **times})


def start(status: RecoveryRunStatus, now: datetime) -> RecoveryRunStatus:
    """The run has the target's Lease and begins with its first step."""
    first = status.plan.ladder[0].name if status.plan else ""
    update = {
        "phase": RunPhase.RUNNING,
        "reason": Reason.STEP_RUNNING,
        "message": None,
        "started_at": now,
        "current_step": first,
        "steps": [StepStatus(name=first, state=StepState.WAITING)],
    }
    return status.model_copy(update=update)


def finish(
    status: RecoveryRunStatus, phase: RunPhase, reason: Reason, message: str, now: datetime
) -> RecoveryRunStatus:
    """The run ends."""
    update: dict[str, Any] = {
        "phase": phase,
        "reason": reason,
        "message": message[:_MAX_TEXT],
        "finished_at": now,
        "current_step": None,
    }
    return status.model_copy(update=update)


def change_step(status: RecoveryRunStatus, **update: object) -> RecoveryRunStatus:
    """Change the current (last) step."""
    current = status.steps[-1].model_copy(update=update)
    return status.model_copy(update={"steps": [*status.steps[:-1], current]})


def hold(status: RecoveryRunStatus, reason: Reason, message: str, now: datetime) -> RecoveryRunStatus:
    """A gate refuses: the current step waits, and says why."""
    since = status.steps[-1].waiting_since or now
    held = change_step(status, reason=reason, message=message[:_MAX_TEXT], waiting_since=since)
    return held.model_copy(update={"reason": reason, "message": message[:_MAX_TEXT]})


def resume(status: RecoveryRunStatus, now: datetime) -> RecoveryRunStatus:
    """The gate is open again: the time spent waiting does not count towards the step's timeout."""
    step = status.steps[-1]
    if step.waiting_since is None:
        return status
    waited = step.waited_seconds
    if step.state is StepState.ACTING:
        waited += round((now - step.waiting_since).total_seconds())
    resumed = change_step(status, reason=None, message=None, waiting_since=None, waited_seconds=waited)
    return resumed.model_copy(update={"reason": Reason.STEP_RUNNING, "message": None})


def begin_action(status: RecoveryRunStatus, pods_until: datetime | None, now: datetime) -> RecoveryRunStatus:
    """The gates of the step are open: its action begins."""
    return change_step(resume(status, now), state=StepState.ACTING, started_at=now, pods_until=pods_until)


def intend(status: RecoveryRunStatus, effect: EffectStatus, now: datetime) -> RecoveryRunStatus:
    """Write the intent of one effect: all that is needed to resume it. The latest twenty are kept."""
    resumed = resume(status, now)
    effects = [*resumed.steps[-1].effects, effect][-MAX_LISTED_EFFECTS:]
    return change_step(resumed, effects=effects)


def record_outcome(
    status: RecoveryRunStatus, uid: str, outcome: EffectOutcome, message: str | None, now: datetime
) -> RecoveryRunStatus:
    """Write what became of the effect on the pod with this UID."""
    status = resume(status, now)
    step = status.steps[-1]
    update = {"outcome": outcome, "outcome_at": now, "message": message[:_MAX_TEXT] if message else None}
    effects = [
        effect.model_copy(update=update) if effect.id == uid and effect.outcome is None else effect
        for effect in step.effects
    ]
    reached = step.effect_count + (outcome is EffectOutcome.EVICTED)
    return change_step(status, effects=effects, effect_count=reached)


def record_replaced(status: RecoveryRunStatus, uid: str, now: datetime) -> RecoveryRunStatus:
    """Write that the replacement of an evicted pod was seen Ready."""
    effects = [
        effect.model_copy(update={"settled_at": now}) if effect.id == uid else effect
        for effect in status.steps[-1].effects
    ]
    return change_step(status, effects=effects)


def begin_verify(status: RecoveryRunStatus, now: datetime) -> RecoveryRunStatus:
    """The action is done: from now on the signals are watched."""
    verifying = change_step(resume(status, now), state=StepState.VERIFYING, verify_started_at=now)
    return verifying.model_copy(update={"reason": Reason.VERIFYING, "message": None})


def finish_step(
    status: RecoveryRunStatus, result: StepResult, reason: Reason, message: str, now: datetime
) -> RecoveryRunStatus:
    """The current step ends."""
    return change_step(
        resume(status, now),
        state=StepState.DONE,
        result=result,
        reason=reason,
        message=message[:_MAX_TEXT],
        finished_at=now,
    )


def next_step(status: RecoveryRunStatus) -> RecoveryRunStatus:
    """Begin the next rung of the ladder."""
    ladder = status.plan.ladder if status.plan else []
    name = ladder[len(status.steps)].name
    steps = [*status.steps, StepStatus(name=name, state=StepState.WAITING)]
    return status.model_copy(
        update={"steps": steps, "current_step": name, "reason": Reason.STEP_RUNNING, "message": None}
    )
