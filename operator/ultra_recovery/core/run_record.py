"""Changes of a run's status, one function each. Pure: old status in, new status out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.policy_status import IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import (
    Plan,
    RecoveryRunStatus,
    RunPhase,
    StepResult,
    StepState,
    StepStatus,
    TargetSnapshot,
)
from ultra_recovery.core.objects import Workload

MAX_TEXT = 1024


def claim(status: RecoveryRunStatus, term: int, now: datetime) -> RecoveryRunStatus:
    """A leader takes the run over. From this write on an older leader's next write is refused.

    Nobody looked while there was no leader, so a verification that was going on begins again, and what was probed
    before does not count as fresh.
    """
    steps = list(status.steps)
    if steps and steps[-1].state is StepState.VERIFYING:
        steps[-1] = steps[-1].model_copy(update={"verify_started_at": now})
    if steps and steps[-1].state is StepState.WAITING:
        steps[-1] = steps[-1].model_copy(update={"entered_at": now})
    return status.model_copy(update={"leader_term": term, "steps": steps, "phase": status.phase or RunPhase.PENDING})


def adopt_plan(
    status: RecoveryRunStatus,
    spec: RecoveryPolicySpec,
    run: RecoveryRunSpec,
    generation: int,
    workload: Workload,
    incident: IncidentStatus | None,
) -> RecoveryRunStatus:
    """Copy what the run goes by from the policy, and the target as it is now."""
    plan = Plan(
        policy_generation=generation,
        target_ref=spec.target_ref,
        triggers=[trigger for trigger in spec.triggers if trigger.name in run.triggers],
        ladder=[step for step in spec.ladder if not run.steps or step.name in run.steps],
        verify=spec.verify,
        limits=spec.limits,
        dependencies=spec.dependencies,
        maintenance_windows=spec.maintenance_windows,
        service_account_name=spec.service_account_name,
    )
    key = workload.meta.key
    target = TargetSnapshot(
        kind=key.kind,
        name=key.name,
        uid=workload.meta.uid,
        generation=workload.meta.generation,
        template=workload.template_digest,
    )
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
        "steps": [StepStatus(name=first, state=StepState.WAITING, entered_at=now)],
    }
    return status.model_copy(update=update)


def finish(
    status: RecoveryRunStatus, phase: RunPhase, reason: Reason, message: str, now: datetime
) -> RecoveryRunStatus:
    """The run ends."""
    update: dict[str, Any] = {
        "phase": phase,
        "reason": reason,
        "message": message[:MAX_TEXT],
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
    held = change_step(status, reason=reason, message=message[:MAX_TEXT], waiting_since=since)
    return held.model_copy(update={"reason": reason, "message": message[:MAX_TEXT]})


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


def ask_approval(status: RecoveryRunStatus, message: str, now: datetime) -> RecoveryRunStatus:
    """All other gates are open and a person's word is wanted: the run waits without the target's Lease."""
    asked = change_step(resume(status, now), approval_requested_at=now)
    update = {"phase": RunPhase.AWAITING_APPROVAL, "reason": Reason.AWAITING_APPROVAL, "message": message[:MAX_TEXT]}
    return asked.model_copy(update=update)


def leave_approval(status: RecoveryRunStatus, *, approved: bool, now: datetime) -> RecoveryRunStatus:
    """The waiting for an approval is over; its time does not count towards limits.timeout.

    What was probed before does not count as fresh any more.
    """
    asked_at = status.steps[-1].approval_requested_at or now
    seconds = status.approval_seconds + round((now - asked_at).total_seconds())
    changed = change_step(status, entered_at=now, **({"approved_at": now} if approved else {}))
    update = {
        "phase": RunPhase.RUNNING,
        "reason": Reason.APPROVED if approved else Reason.STEP_RUNNING,
        "message": None,
        "approval_seconds": seconds,
    }
    return changed.model_copy(update=update)


def begin_action(
    status: RecoveryRunStatus, pods_until: datetime | None, good_before: bool | None, now: datetime
) -> RecoveryRunStatus:
    """The gates of the step are open: its action begins."""
    return change_step(
        resume(status, now), state=StepState.ACTING, started_at=now, pods_until=pods_until, good_before=good_before
    )


def begin_verify(status: RecoveryRunStatus, now: datetime) -> RecoveryRunStatus:
    """The action is done: from now on the signals are watched."""
    verifying = change_step(resume(status, now), state=StepState.VERIFYING, verify_started_at=now)
    return verifying.model_copy(update={"reason": Reason.VERIFYING, "message": None})


def begin_undo(
    status: RecoveryRunStatus, result: StepResult, reason: Reason, message: str, now: datetime
) -> RecoveryRunStatus:
    """The step has its result, and what it did is taken back before it ends."""
    undoing = change_step(
        resume(status, now), state=StepState.UNDOING, result=result, reason=reason, message=message[:MAX_TEXT]
    )
    return undoing.model_copy(update={"reason": Reason.UNDOING, "message": None})


def finish_step(
    status: RecoveryRunStatus, result: StepResult, reason: Reason, message: str, now: datetime
) -> RecoveryRunStatus:
    """The current step ends."""
    return change_step(
        resume(status, now),
        state=StepState.DONE,
        result=result,
        reason=reason,
        message=message[:MAX_TEXT],
        finished_at=now,
    )


def next_step(status: RecoveryRunStatus, ladder: Sequence[Step], index: int, now: datetime) -> RecoveryRunStatus:
    """Begin the rung at `index`; those that are passed over are recorded as skipped."""
    last = status.steps[-1]
    skipped = [
        StepStatus(
            name=rung.name,
            state=StepState.DONE,
            result=StepResult.SKIPPED,
            reason=Reason.SKIPPED,
            message=f"passed over: step {last.name} ended {last.result}",
            finished_at=now,
        )
        for rung in ladder[len(status.steps) : index]
    ]
    fresh = StepStatus(name=ladder[index].name, state=StepState.WAITING, entered_at=now)
    update = {
        "steps": [*status.steps, *skipped, fresh],
        "current_step": fresh.name,
        "reason": Reason.STEP_RUNNING,
        "message": None,
    }
    return status.model_copy(update=update)
