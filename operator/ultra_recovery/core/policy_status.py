"""From a decision to the status of a policy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ultra_recovery.apis.meta import Condition
from ultra_recovery.apis.policy_status import (
    IncidentState,
    IncidentStatus,
    LastDecision,
    LastRun,
    RecentRun,
    RecoveryPolicyStatus,
)
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core import conditions
from ultra_recovery.core.conditions import Wanted
from ultra_recovery.core.decide import Decision, DecisionKind
from ultra_recovery.core.facts import PolicyFacts
from ultra_recovery.core.refusal import Problem
from ultra_recovery.core.run_gates import attempts_of

_MAX_MESSAGE = 1024


def status_of(
    facts: PolicyFacts, decision: Decision, handled: Sequence[str], recent: Sequence[RecentRun], now: datetime
) -> RecoveryPolicyStatus:
    """The status to write after a decision."""
    old = facts.policy.status
    incident = decision.incident
    if incident is not None:
        incident = incident.model_copy(update={"attempts": attempts_of(facts, incident.id)})
    newest = max(facts.runs, key=lambda run: (run.meta.created_at or now, run.meta.key.name), default=None)
    last_run = old.last_run
    if newest is not None:
        last_run = LastRun(name=newest.meta.key.name, phase=newest.status.phase or "Pending")
    return RecoveryPolicyStatus(
        incident=incident,
        last_decision=_last_decision(old.last_decision, decision, now),
        last_run=last_run,
        recent_runs=list(recent),
        last_handled_reset_at=handled[-1] if handled else None,
        handled_resets=list(handled) or None,
        reset_at=old.reset_at,
        observed_generation=facts.policy.meta.generation,
        conditions=_conditions(facts, decision, incident, now),
    )


def invalid_status(old: RecoveryPolicyStatus, generation: int, problem: Problem, now: datetime) -> RecoveryPolicyStatus:
    """The status of a policy whose spec cannot be read: what was known stays, and it says what is wrong."""
    wanted = [
        Wanted(ConditionType.READY, "False", problem.reason, problem.message),
        Wanted(ConditionType.STALLED, "True", problem.reason, problem.message),
    ]
    merged = conditions.merge(old.conditions, wanted, generation, now)
    return old.model_copy(update={"observed_generation": generation, "conditions": merged})


def _last_decision(old: LastDecision | None, decision: Decision, now: datetime) -> LastDecision:
    same = old is not None and (old.decision, old.reason) == (decision.kind, decision.reason)
    return LastDecision(
        time=old.time if old is not None and same else now,
        decision=decision.kind,
        reason=decision.reason,
        message=decision.message[:_MAX_MESSAGE],
    )


def _conditions(
    facts: PolicyFacts, decision: Decision, incident: IncidentStatus | None, now: datetime
) -> list[Condition]:
    old = facts.policy.status.conditions
    problem = facts.problem
    wanted = [
        Wanted(ConditionType.READY, "True", Reason.ENFORCED, "the policy is enforced")
        if problem is None
        else Wanted(ConditionType.READY, "False", problem.reason, problem.message)
    ]
    if problem is not None:
        wanted.append(Wanted(ConditionType.STALLED, "True", problem.reason, problem.message))
    wanted.append(_incident(incident))
    if _needs_human(facts, decision, incident):
        message = (
            f"incident {incident.id if incident else 0}: all attempts are used; mend the cause and reset the policy"
        )
        wanted.append(Wanted(ConditionType.NEEDS_HUMAN, "True", Reason.NEEDS_HUMAN, message))
    if decision.kind is DecisionKind.HOLD and decision.reason not in (Reason.STALLED, Reason.NEEDS_HUMAN):
        wanted.append(Wanted(ConditionType.BLOCKED, "True", decision.reason, decision.message))
    return conditions.merge(old, wanted, facts.policy.meta.generation, now)


def _incident(incident: IncidentStatus | None) -> Wanted:
    if incident is None or incident.state is IncidentState.CLOSED:
        return Wanted(ConditionType.INCIDENT, "False", Reason.HEALTHY, "no trigger fires")
    if incident.state is IncidentState.OBSERVING:
        message = f"incident {incident.id}: all signals are clear, not yet for minHealthyPeriod"
        return Wanted(ConditionType.INCIDENT, "True", Reason.OBSERVING, message)
    message = f"incident {incident.id}: {', '.join(incident.triggers)}"
    return Wanted(ConditionType.INCIDENT, "True", Reason.INCIDENT_OPENED, message)


def _needs_human(facts: PolicyFacts, decision: Decision, incident: IncidentStatus | None) -> bool:
    """True from the moment all attempts are used in vain, until a reset or until the incident closes."""
    if decision.reason is Reason.NEEDS_HUMAN:
        return True
    if incident is None or incident.state is IncidentState.CLOSED or facts.active_run is not None:
        return False
    tried = [record for record in facts.counted_of(incident.id) if record.effective]
    in_vain = bool(tried) and tried[-1].phase != RunPhase.SUCCEEDED
    return in_vain and attempts_of(facts, incident.id) >= facts.spec.limits.max_attempts
