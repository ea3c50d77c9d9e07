"""Before a run starts: is what it asks for there, was enough reported, and do the gates let it? Pure."""

from __future__ import annotations

from datetime import datetime

from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_run import Cause, RecoveryRunSpec
from ultra_recovery.core.facts import RunFacts
from ultra_recovery.core.objects import Policy
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.run_gates import first_refusal

_PATIENT = frozenset({Reason.BUDGET, Reason.TARGET_LEASED})
"""Gates that a person's run waits for; others ask for something that only a person can change."""


def pending_problem(facts: RunFacts, spec: RecoveryRunSpec) -> Problem | None:
    """What forbids the run for good."""
    policy, workload = facts.policy, facts.target.workload
    if policy is None or policy.spec is None:
        return Problem(Reason.INVALID_SPEC, policy.problem if policy else "the policy was deleted")
    if workload is None or workload.meta.deleting:
        return Problem(Reason.TARGET_GONE, "the target does not exist")
    known = {step.name for step in policy.spec.ladder}
    missing = [name for name in spec.steps if name not in known]
    if missing:
        message = f"spec.steps: the ladder of policy {policy.meta.key.name} has no step {missing[0]}"
        return Problem(Reason.STEP_NOT_FOUND, message)
    if spec.cause is Cause.TRIGGER:
        return _incident_problem(policy, spec)
    return _report_problem(facts, policy, spec) if spec.cause is Cause.REPORTED else None


def _incident_problem(policy: Policy, spec: RecoveryRunSpec) -> Problem | None:
    """A run of cause Trigger is the operator's own: it belongs to the incident that is open now."""
    incident = policy.status.incident
    if incident is None or incident.id != spec.incident or incident.state is IncidentState.CLOSED:
        return Problem(Reason.NOT_FIRING, f"incident {spec.incident} of the policy is not open")
    return None


def _report_problem(facts: RunFacts, policy: Policy, spec: RecoveryRunSpec) -> Problem | None:
    """A report counts only for a trigger that knows its type, and only when there were enough of them."""
    triggers = [
        trigger
        for trigger in (policy.spec.triggers if policy.spec else [])
        if trigger.error_reported is not None and trigger.error_reported.knows(spec.error_type, spec.context)
    ]
    if not triggers:
        return Problem(Reason.NO_TRIGGER, f"no errorReported trigger of the policy knows {spec.error_type}")
    if facts.run.status.plan is not None:
        # The count was reached when the plan was taken; reports grow old while the run waits.
        return None
    for trigger in triggers:
        wanted = trigger.error_reported.count if trigger.error_reported else 1
        if facts.reports.get(trigger.name, 0) >= wanted:
            return None
    counts = ", ".join(
        f"{trigger.name}: {facts.reports.get(trigger.name, 0)} of {trigger.error_reported.count}"
        for trigger in triggers
        if trigger.error_reported
    )
    return Problem(Reason.COUNT_NOT_REACHED, f"too few reports of {spec.error_type} ({counts})")


def pending_refusal(facts: RunFacts, spec: RecoveryRunSpec, now: datetime) -> Refusal | None:
    """The gates before a run, once more for one of our own: time has passed since it was decided on."""
    if facts.policy_facts is None:
        return None
    return first_refusal(facts.policy_facts, _open_incident(facts.policy, spec), now, spec.cause)


def _open_incident(policy: Policy | None, spec: RecoveryRunSpec) -> IncidentStatus | None:
    incident = policy.status.incident if policy is not None else None
    if incident is None or incident.state is IncidentState.CLOSED:
        return None
    return incident if spec.cause is not Cause.MANUAL else None


def waits_for(spec: RecoveryRunSpec, refusal: Refusal) -> bool:
    """Whether the run waits for this gate, as a person's request does, or is cancelled: a report comes again."""
    return spec.cause is Cause.MANUAL and refusal.reason in _PATIENT
