"""What is told of policies: only what is new."""

from __future__ import annotations

from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.decide import Decision, DecisionKind
from ultra_recovery.core.facts import PolicyFacts
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Policy
from ultra_recovery.core.refusal import Problem

_QUIET = (Reason.HEALTHY, Reason.RUN_ACTIVE, Reason.PENDING_TRIGGER, Reason.OBSERVING, Reason.NOT_FIRING)


def of_policy(
    facts: PolicyFacts, decision: Decision, old: RecoveryPolicyStatus, new: RecoveryPolicyStatus, *, reset: bool
) -> list[Notice]:
    """What a decision changed: the incident, what was decided, whether the policy can be enforced."""
    meta = facts.policy.meta
    labels = {"namespace": meta.key.namespace, "policy": meta.key.name}
    news = []
    if reset:
        message = "reset by annotation: earlier runs do not count any more"
        news.append(Notice(Topic.DECISION, meta.key, meta.uid, Reason.RESET, message, labels=labels))
    problem, had = facts.problem, {item.type: item for item in old.conditions}.get(ConditionType.STALLED)
    if problem is not None and (had is None or had.reason != problem.reason):
        news.append(of_problem(facts.policy, problem))
    elif problem is None and had is not None:
        news.append(Notice(Topic.ENFORCEMENT, meta.key, meta.uid, Reason.ENFORCED, "enforced again", labels=labels))
    if decision.step.reason is not None and new.incident is not None:
        message = f"incident {new.incident.id}: {', '.join(new.incident.triggers)}; {decision.message}"
        warning = decision.step.reason in (Reason.INCIDENT_OPENED, Reason.INCIDENT_RETURNED)
        news.append(Notice(Topic.INCIDENT, meta.key, meta.uid, decision.step.reason, message, warning, labels=labels))
    before = old.last_decision
    if before is None or (before.decision, before.reason) != (decision.kind, decision.reason):
        news.append(
            Notice(
                Topic.DECISION,
                meta.key,
                meta.uid,
                decision.reason,
                f"{decision.kind}: {decision.message}",
                warning=decision.kind is DecisionKind.HOLD,
                event=decision.reason not in _QUIET,
                labels={**labels, "decision": decision.kind},
            )
        )
    return news


def of_problem(policy: Policy, problem: Problem) -> Notice:
    """The policy cannot be enforced."""
    key = policy.meta.key
    labels = {"namespace": key.namespace, "policy": key.name}
    return Notice(Topic.ENFORCEMENT, key, policy.meta.uid, problem.reason, problem.message, warning=True, labels=labels)
