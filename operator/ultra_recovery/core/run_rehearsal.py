"""DryRun: what a run would do, by the same decisions, recorded and not done. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ultra_recovery.apis.action import Action
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import (
    MAX_LISTED_EFFECTS,
    EffectOutcome,
    EffectStatus,
    RecoveryRunStatus,
    RunPhase,
    StepResult,
    StepState,
    StepStatus,
)
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import Planner
from ultra_recovery.core.facts import RunFacts
from ultra_recovery.core.step_context import Here


def rehearse(facts: RunFacts, find_planner: Callable[[Action], Planner | None], now: datetime) -> RecoveryRunStatus:
    """The final status of a dry run: for every step what it would do now, or which gate would hold it.

    The later steps are shown as if the earlier ones had not helped.
    """
    status = record.start(facts.run.status, now)
    ladder = status.plan.ladder if status.plan else []
    steps = [_step(facts, status, index, find_planner(rung.action), now) for index, rung in enumerate(ladder)]
    first = steps[0].message if steps else "the ladder is empty"
    status = status.model_copy(update={"steps": steps})
    return record.finish(status, RunPhase.SUCCEEDED, Reason.DRY_RUN, f"nothing was touched; step 1: {first}", now)


def _step(facts: RunFacts, status: RecoveryRunStatus, index: int, planner: Planner | None, now: datetime) -> StepStatus:
    if status.plan is None or planner is None:
        raise ValueError("a dry run needs a plan, and actions that are known")
    rung = status.plan.ladder[index]
    step = StepStatus(name=rung.name, state=StepState.ACTING, started_at=now)
    here = Here(facts, planner, status.plan, rung, step, None, now)
    first = planner.propose(here.view())
    refusal = here.gate(first.pod if first is not None else None)
    planned = [] if refusal is not None else _effects(here)
    if refusal is not None:
        message = f"would wait: {refusal.reason}: {refusal.message}"
    elif planned:
        message = "would do: " + ", ".join(f"{effect.kind} {effect.object}" for effect in planned[:5])
    else:
        message = "would find nothing to do"
    if rung.approval is not None and rung.approval.required:
        message += " (after a person's approval)"
    return StepStatus(
        name=rung.name,
        state=StepState.DONE,
        result=StepResult.DRY_RUN,
        reason=refusal.reason if refusal is not None else Reason.DRY_RUN,
        message=message[: record.MAX_TEXT],
        finished_at=now,
        effects=planned,
    )


def _effects(here: Here) -> list[EffectStatus]:
    """The effects one after the other, as if each had been done."""
    planned: list[EffectStatus] = []
    while len(planned) < MAX_LISTED_EFFECTS:
        step = here.step.model_copy(update={"effects": planned})
        now_here = Here(here.facts, here.planner, here.plan, here.rung, step, None, here.now)
        proposal = here.planner.propose(now_here.view())
        if proposal is None:
            break
        planned = [*planned, proposal.effect.model_copy(update={"outcome": EffectOutcome.DRY_RUN})]
    return planned
