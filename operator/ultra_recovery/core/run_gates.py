"""The gates before a run is created: an ordered list of small checks, the first that refuses wins.

To add a gate, add a function and its place in RUN_GATES. The docs tell the gates in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ultra_recovery.apis.policy_status import IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.facts import PolicyFacts, Refusal
from ultra_recovery.core.objects import Run
from ultra_recovery.core.signals import any_firing

RunGate = Callable[[PolicyFacts, IncidentStatus, datetime], Refusal | None]


def attempts_of(facts: PolicyFacts, incident: int) -> int:
    """Attempts of an incident so far: its runs with at least one effect, after the last reset.

    A run during which somebody rolled the target out proved nothing and is not counted.
    """
    runs = facts.runs_of(incident)
    return sum(run.had_effect and run.status.reason != Reason.TARGET_CHANGED for run in runs)


def stalled(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """The policy cannot be enforced."""
    del incident, now
    return Refusal(Reason.STALLED, facts.problem.message) if facts.problem else None


def paused(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """The user switched the policy off."""
    del incident, now
    if facts.spec.mode is Mode.PAUSED:
        return Refusal(Reason.PAUSED, "spec.mode is Paused: nothing is started")
    return None


def not_firing(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """An incident is open, but nothing is wrong at this moment."""
    del incident, now
    if any_firing(facts.signals):
        return None
    return Refusal(Reason.NOT_FIRING, "; ".join(signal.message for signal in facts.signals))


def needs_human(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """All attempts of this incident are used up."""
    del now
    attempts = attempts_of(facts, incident.id)
    if attempts < facts.spec.limits.max_attempts:
        return None
    return Refusal(
        Reason.NEEDS_HUMAN,
        f"{attempts} of {facts.spec.limits.max_attempts} attempts did not help; mend the cause, then reset the policy",
    )


def target_gone(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """The target is not there, or is being deleted."""
    del incident, now
    workload = facts.target.workload
    if workload is None or workload.meta.deleting:
        return Refusal(Reason.TARGET_GONE, f"{facts.spec.target_ref.kind} {facts.spec.target_ref.name} is gone")
    return None


def scaled_to_zero(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """There is nothing to recover."""
    del incident, now
    workload = facts.target.workload
    if workload is not None and workload.replicas == 0:
        return Refusal(Reason.SCALED_TO_ZERO, f"{workload.meta.key.name} is scaled to zero")
    return None


def interval(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """The last run of this incident ended a moment ago."""
    ended = [run.status.finished_at for run in facts.runs_of(incident.id) if run.status.finished_at is not None]
    if not ended:
        return None
    until = max(ended) + facts.spec.limits.interval
    if now >= until:
        return None
    return Refusal(Reason.INTERVAL, f"the next attempt is due at {until:%H:%M:%S} UTC (limits.interval)", until)


def cooldown(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """A run of another incident or policy on this target succeeded a moment ago."""
    others = [run for run in facts.counted_runs if run.spec is not None and run.spec.incident != incident.id] + list(
        facts.target_runs
    )
    ended = [_succeeded_at(run) for run in others]
    moments = [moment for moment in ended if moment is not None]
    if not moments:
        return None
    until = max(moments) + facts.spec.limits.cooldown
    if now >= until:
        return None
    return Refusal(Reason.COOLDOWN, f"a run on this target succeeded; cooldown until {until:%H:%M:%S} UTC", until)


def _succeeded_at(run: Run) -> datetime | None:
    return run.status.finished_at if run.status.phase is RunPhase.SUCCEEDED else None


def target_leased(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """Another run works on this target."""
    del incident, now
    if not facts.lease_holder:
        return None
    return Refusal(Reason.TARGET_LEASED, f"the target's Lease is held by run {facts.lease_holder}")


RUN_GATES: tuple[RunGate, ...] = (
    stalled,
    paused,
    not_firing,
    needs_human,
    target_gone,
    scaled_to_zero,
    interval,
    cooldown,
    target_leased,
)


def first_refusal(facts: PolicyFacts, incident: IncidentStatus, now: datetime) -> Refusal | None:
    """Ask the gates in order."""
    for gate in RUN_GATES:
        refusal = gate(facts, incident, now)
        if refusal is not None:
            return refusal
    return None
