"""One step of a run: wait for its gates, act, verify, take back what did not help. Pure; called by core.run.

Waiting ──gates, approval──▶ Acting ──settled──▶ Verifying ──▶ Done
└──────┬────────────┘ not verified, and there is an undo
└──▶ Undoing ──▶ Done
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ultra_recovery.apis.run_status import RunPhase, StepResult, StepState
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import Planner
from ultra_recovery.core.facts import RunFacts
from ultra_recovery.core.ladder import ending_of, next_rung
from ultra_recovery.core.refusal import Problem
from ultra_recovery.core.step_acting import acting
from ultra_recovery.core.step_context import Here, StepAdvance
from ultra_recovery.core.step_undoing import undoing
from ultra_recovery.core.step_verifying import verifying
from ultra_recovery.core.step_waiting import awaiting_approval, waiting


def advance_step(facts: RunFacts, planner: Planner, stop: Problem | None, now: datetime) -> StepAdvance:
    """Decide what comes next in the current step.

    Args:
        facts: all that is known; the run is Running and holds the target's Lease, or awaits an approval.
        planner: the action of the current step.
        stop: why the run shall stop, if somebody wants that.
        now: the present.
    """
    status, rung = facts.run.status, facts.run.current_rung
    if status.plan is None or rung is None:
        raise ValueError("a running run has a plan and a step")
    here = Here(facts, planner, status.plan, rung, status.steps[-1], stop, now)
    if status.phase is RunPhase.AWAITING_APPROVAL:
        return awaiting_approval(here)
    return _STATES[here.step.state](here)


def _done(here: Here) -> StepAdvance:
    """A step has its result: the next rung, or the end."""
    following = next_rung(here.plan.ladder, here.status.steps)
    if here.stop is not None and here.step.result is not StepResult.VERIFIED:
        return here.end(RunPhase.CANCELLED, here.stop.reason, here.stop.message)
    if following is not None:
        return StepAdvance(record.next_step(here.status, here.plan.ladder, following, here.now))
    ending = ending_of(here.plan.ladder, here.status.steps)
    status = here.status
    if ending.phase is RunPhase.SUCCEEDED:
        status = status.model_copy(update={"recovered_at": here.step.good_since})
    return StepAdvance(record.finish(status, ending.phase, ending.reason, ending.message, here.now))


_STATES: dict[StepState, Callable[[Here], StepAdvance]] = {
    StepState.WAITING: waiting,
    StepState.ACTING: acting,
    StepState.VERIFYING: verifying,
    StepState.UNDOING: undoing,
    StepState.DONE: _done,
}
