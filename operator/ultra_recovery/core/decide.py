"""What to do for a policy: one pure function from facts to a Decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_run import Cause, RecoveryRunSpec
from ultra_recovery.core import naming
from ultra_recovery.core.facts import PolicyFacts, Refusal
from ultra_recovery.core.incident import IncidentStep, step_incident
from ultra_recovery.core.run_gates import attempts_of, first_refusal
from ultra_recovery.core.signals import SignalState, next_change
from ultra_recovery.core.step_gates import ActionClass, EffectRequest, first_step_refusal


class DecisionKind(StrEnum):
    """IDLE: nothing is wrong. WAIT: something is going on already. HOLD: a gate refuses. START_RUN: act."""

    IDLE = "Idle"
    WAIT = "Wait"
    HOLD = "Hold"
    START_RUN = "StartRun"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why.

    Attributes:
        next_look: when to decide again at the latest; None when only an event can change anything.
        step: what happened to the incident; its incident is to be persisted before the run is created.
        run_name: for START_RUN: the name of the run; `run` is its spec.
    """

    kind: DecisionKind
    reason: Reason
    message: str
    step: IncidentStep
    next_look: datetime | None = None
    run_name: str = ""
    run: RecoveryRunSpec | None = None

    @property
    def incident(self) -> IncidentStatus | None:
        """The incident after this decision."""
        return self.step.incident


def decide(facts: PolicyFacts, now: datetime) -> Decision:
    """Decide what to do for a policy.

    The incident follows the signals first. While a run is active nothing else is decided: the run has its own look.
    """
    step = step_incident(
        facts.policy.status.incident,
        facts.signals,
        highest_id=facts.highest_incident,
        min_healthy_period=facts.spec.limits.min_healthy_period,
        now=now,
    )
    look = _earliest(step.next_look, next_change(facts.signals))
    active = facts.active_run
    if active is not None:
        return Decision(DecisionKind.WAIT, Reason.RUN_ACTIVE, f"run {active.meta.key.name} is active", step, look)
    incident = step.incident
    if incident is None or incident.state is IncidentState.CLOSED:
        return _quiet(facts, step, look)
    if incident.state is IncidentState.OBSERVING:
        message = f"all clear; incident {incident.id} closes after limits.minHealthyPeriod"
        return Decision(DecisionKind.WAIT, Reason.OBSERVING, message, step, look)
    refusal = first_refusal(facts, incident, now) or _first_step_refusal(facts, now)
    if refusal is not None:
        return _hold(refusal, step, look)
    return _start(facts, incident, step)


def _quiet(facts: PolicyFacts, step: IncidentStep, look: datetime | None) -> Decision:
    if facts.problem is not None:
        return Decision(DecisionKind.HOLD, Reason.STALLED, facts.problem.message, step, look)
    pending = [signal for signal in facts.signals if signal.state is SignalState.PENDING]
    if pending:
        return Decision(DecisionKind.WAIT, Reason.PENDING_TRIGGER, pending[0].message, step, look)
    return Decision(DecisionKind.IDLE, Reason.HEALTHY, "no trigger fires", step, look)


def _first_step_refusal(facts: PolicyFacts, now: datetime) -> Refusal | None:
    """The gates of the first step, asked before a run is created: refused means no run at all."""
    return first_step_refusal(EffectRequest(ActionClass.DISRUPTIVE, facts.target, facts.spec.limits), now)


def _hold(refusal: Refusal, step: IncidentStep, look: datetime | None) -> Decision:
    kind = DecisionKind.WAIT if refusal.reason is Reason.NOT_FIRING else DecisionKind.HOLD
    return Decision(kind, refusal.reason, refusal.message, step, _earliest(look, refusal.next_look))


def _start(facts: PolicyFacts, incident: IncidentStatus, step: IncidentStep) -> Decision:
    runs = [run.spec for run in facts.runs if run.spec is not None and run.spec.incident == incident.id]
    sequence = max((run.sequence or 0 for run in runs), default=0) + 1
    firing = [signal for signal in facts.signals if signal.state is SignalState.FIRING]
    spec = RecoveryRunSpec(
        policy_name=facts.policy.meta.key.name,
        cause=Cause.TRIGGER,
        incident=incident.id,
        sequence=sequence,
        attempt=attempts_of(facts, incident.id) + 1,
        triggers=[signal.trigger for signal in firing],
    )
    name = naming.run_name(facts.policy.meta.key.name, incident.id, sequence)
    message = "; ".join(f"{signal.trigger}: {signal.message}" for signal in firing)
    return Decision(DecisionKind.START_RUN, Reason.RUN_STARTED, message, step, run_name=name, run=spec)


def _earliest(*moments: datetime | None) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
