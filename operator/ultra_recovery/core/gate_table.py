"""What each gate says and whom it concerns, for the reference page and the tests that drive every gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core import run_gates, step_gates
from ultra_recovery.core.run_gates import RunGate
from ultra_recovery.core.step_gates import ActionClass, StepGate

RUN_GATE_REASONS: Mapping[RunGate, tuple[Reason, ...]] = {
    run_gates.stalled: (Reason.STALLED,),
    run_gates.creator: (Reason.RIGHTS_UNKNOWN,),
    run_gates.paused: (Reason.PAUSED, Reason.OPERATOR_PAUSED, Reason.NAMESPACE_PAUSED),
    run_gates.manual: (Reason.MANUAL,),
    run_gates.not_firing: (Reason.NOT_FIRING,),
    run_gates.needs_human: (Reason.NEEDS_HUMAN,),
    run_gates.dry_run_recorded: (Reason.DRY_RUN_RECORDED,),
    run_gates.target_gone: (Reason.TARGET_GONE,),
    run_gates.excluded: (Reason.EXCLUDED,),
    run_gates.scaled_to_zero: (Reason.SCALED_TO_ZERO,),
    run_gates.interval: (Reason.INTERVAL,),
    run_gates.cooldown: (Reason.COOLDOWN,),
    run_gates.budget: (Reason.BUDGET,),
    run_gates.target_leased: (Reason.TARGET_LEASED,),
}
"""The reasons that each gate before a run can give."""

_ACTS = (ActionClass.DISRUPTIVE, ActionClass.ROLLOUT, ActionClass.DEPENDENCY_REPAIR)
_DISTURBS = (ActionClass.DISRUPTIVE, ActionClass.ROLLOUT)


@dataclass(frozen=True, slots=True)
class StepGateFacts:
    """What a gate before a step can say, and which classes of actions it is for; nothing stops a notification."""

    reasons: tuple[Reason, ...]
    classes: tuple[ActionClass, ...]


STEP_GATE_FACTS: Mapping[StepGate, StepGateFacts] = {
    step_gates.creator: StepGateFacts((Reason.FORBIDDEN, Reason.RIGHTS_UNKNOWN), _ACTS),
    step_gates.maintenance_window: StepGateFacts((Reason.MAINTENANCE_WINDOW,), _ACTS),
    step_gates.rollout_in_progress: StepGateFacts((Reason.ROLLOUT_IN_PROGRESS,), (ActionClass.DISRUPTIVE,)),
    step_gates.dependency_open: StepGateFacts((Reason.DEPENDENCY_OPEN, Reason.AWAITING_PROBE), _DISTURBS),
    step_gates.storm: StepGateFacts((Reason.STORM,), _DISTURBS),
    step_gates.quorum: StepGateFacts((Reason.QUORUM,), (ActionClass.DISRUPTIVE,)),
}
"""Likewise for the gates before a step and before every single effect of it."""

LATER_REASONS: Mapping[Reason, str] = {
    Reason.AWAITING_APPROVAL: "The step asks for an approval, which is asked for when all gates above are open.",
    Reason.APPROVAL_REJECTED: "A person rejected the step.",
    Reason.APPROVAL_EXPIRED: "Nobody approved the step in time.",
    Reason.BREAKER_LEASED: "Another run holds the Lease of a breaker that the step touches.",
    Reason.POD_DISRUPTION_BUDGET: "The API server refuses the eviction because of a PodDisruptionBudget.",
    Reason.API_UNAVAILABLE: "The API server did not answer an effect, or asked to come back later.",
}
"""What a step waits for, or ends by, after its gates have let it pass: in the order in which it is met."""
