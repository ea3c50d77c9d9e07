"""What to do for a policy: one pure function from facts to a Decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.recovery_run import Cause, RecoveryRunSpec
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core import naming
from ultra_recovery.core.facts import PolicyFacts
from ultra_recovery.core.incident import IncidentStep, step_incident
from ultra_recovery.core.objects import Run
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.run_gates import attempts_of, first_refusal
from ultra_recovery.core.signals import SignalState, next_change, next_trouble
from ultra_recovery.core.step_gates import ActionClass, EffectRequest, first_step_refusal


class DecisionKind(StrEnum):
    """IDLE: nothing is wrong. WAIT: something is going on already. HOLD: a gate refuses. START_RUN: act."""

    IDLE = "Idle"
    WAIT = "Wait"
    HOLD = "Hold"
    START_RUN = "StartRun"


_NO_BLOCK = frozenset({Reason.NOT_FIRING, Reason.DRY_RUN_RECORDED})
"""Refusals that keep nothing from happening that should happen."""


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


def decide(facts: PolicyFacts, action_class: ActionClass, now: datetime) -> Decision:
    """Decide what to do for a policy.

    The incident follows the signals first. While a run is active nothing else is decided: the run has its own look.

    Args:
        facts: all that is known.
        action_class: the class of the ladder's first step, whose gates are asked before a run is created.
        now: the present.
    """
    step = step_incident(
        facts.policy.status.incident,
        facts.signals,
        highest_id=facts.highest_incident,
        min_healthy_period=facts.spec.limits.min_healthy_period,
        now=now,
    )
    look = _earliest(step.next_look, next_change(facts.signals), next_trouble(facts.signals))
    active = facts.active_run
    if active is not None:
        return _active(active, step, look)
    incident = step.incident
    if incident is None or incident.state is IncidentState.CLOSED:
        return _quiet(facts, step, look)
    if incident.state is IncidentState.OBSERVING:
        message = f"all clear; incident {incident.id} closes after limits.minHealthyPeriod"
        return Decision(DecisionKind.WAIT, Reason.OBSERVING, message, step, look)
    refusal = first_refusal(facts, incident, now) or _first_step_refusal(facts, action_class, now)
    if refusal is not None:
        return _hold(refusal, step, look)
    return _start(facts, incident, step)


def waits_on(run: Run | None) -> Refusal | None:
    """The gate that an active run waits for, None when it goes on."""
    if run is None or run.status.reason in (None, Reason.PENDING) or not run.status.message:
        return None
    status = run.status
    waits = status.phase is not None and status.phase is not RunPhase.RUNNING
    held = bool(status.steps) and status.steps[-1].waiting_since is not None
    return Refusal(Reason(run.status.reason), run.status.message) if waits or held else None


def _active(run: Run, step: IncidentStep, look: datetime | None) -> Decision:
    """A run is active. A gate that it waits for refuses the recovery, as it would before a run."""
    gate, name = waits_on(run), run.meta.key.name
    if gate is not None:
        return Decision(DecisionKind.HOLD, gate.reason, f"run {name} waits: {gate.message}", step, look)
    return Decision(DecisionKind.WAIT, Reason.RUN_ACTIVE, f"run {name} is active", step, look)


def _quiet(facts: PolicyFacts, step: IncidentStep, look: datetime | None) -> Decision:
    if facts.problem is not None:
        return Decision(DecisionKind.HOLD, Reason.STALLED, facts.problem.message, step, look)
    pending = [signal for signal in facts.signals if signal.state is SignalState.PENDING]
    if pending:
        return Decision(DecisionKind.WAIT, Reason.PENDING_TRIGGER, pending[0].message, step, look)
    return Decision(DecisionKind.IDLE, Reason.HEALTHY, "no trigger fires", step, look)


def _first_step_refusal(facts: PolicyFacts, action_class: ActionClass, now: datetime) -> Refusal | None:
    """The gates of the first step, asked before a run is created: refused means no run at all.

    Dependencies are judged by what is known; the run asks for a fresh probe before it acts.
    """
    request = EffectRequest(
        action_class,
        facts.target,
        facts.spec.limits,
        windows=facts.spec.maintenance_windows,
        dependencies=facts.dependencies,
        allow_while_open=facts.spec.ladder[0].allow_while_open,
        rails=facts.rails,
    )
    return first_step_refusal(request, now)


def _hold(refusal: Refusal, step: IncidentStep, look: datetime | None) -> Decision:
    kind = DecisionKind.WAIT if refusal.reason in _NO_BLOCK else DecisionKind.HOLD
    return Decision(kind, refusal.reason, refusal.message, step, _earliest(look, refusal.next_look))


def _start(facts: PolicyFacts, incident: IncidentStatus, step: IncidentStep) -> Decision:
    runs = [run.spec for run in facts.runs if run.spec is not None and run.spec.incident == incident.id]
    remembered = sum(record.incident == incident.id for record in facts.records)
    sequence = max((run.sequence or 0 for run in runs), default=0)
    # Deleted runs are remembered by number: their names are not used again within the incident.
    sequence = max(sequence, remembered) + 1
    firing = [signal for signal in facts.signals if signal.state is SignalState.FIRING]
    spec = RecoveryRunSpec(
        policy_name=facts.policy.meta.key.name,
        cause=Cause.TRIGGER,
        incident=incident.id,
        sequence=sequence,
        attempt=attempts_of(facts, incident.id) + 1,
        triggers=[signal.trigger for signal in firing],
        dry_run=facts.spec.mode is Mode.DRY_RUN,
    )
    name = naming.run_name(facts.policy.meta.key.name, incident.id, sequence)
    message = "; ".join(f"{signal.trigger}: {signal.message}" for signal in firing)
    return Decision(DecisionKind.START_RUN, Reason.RUN_STARTED, message, step, run_name=name, run=spec)


def _earliest(*moments: datetime | None) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
