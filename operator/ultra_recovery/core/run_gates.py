"""The gates before a run is created, or a requested one starts: an ordered list, the first that refuses wins.

To add a gate, add a function and its place in RUN_GATES; the page of the gates is generated from here. Which gates a
run passes over depends on why it exists: SKIPPED says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from ultra_recovery.apis.meta import EXCLUDE_LABEL
from ultra_recovery.apis.policy_status import IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.budget import RunRecord
from ultra_recovery.core.facts import PolicyFacts
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.signals import any_firing

MAX_INTERVAL = timedelta(minutes=10)
"""The pause between runs that find nothing to do grows up to this, or to limits.interval where that is longer."""

_IN_VAIN = frozenset({RunPhase.FAILED, RunPhase.ERROR, RunPhase.INCONCLUSIVE})
"""Ends after which another run without an effect will hardly end otherwise."""

_LEAST_INTERVAL = timedelta(seconds=1)
"""Even where limits.interval is zero: a breaker that a run has just proven well needs a moment to say so."""

RunGate = Callable[[PolicyFacts, IncidentStatus | None, datetime], Refusal | None]


def attempts_of(facts: PolicyFacts, incident: int) -> int:
    """Attempts of an incident so far: its automatic runs with at least one effect, after the last reset.

    A run during which somebody rolled the target out proved nothing and is not counted.
    """
    return sum(
        record.effective and record.cause != Cause.MANUAL and record.reason != Reason.TARGET_CHANGED
        for record in facts.counted_of(incident)
    )


def stalled(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The policy cannot be enforced."""
    del incident, now
    return Refusal(Reason.STALLED, facts.problem.message) if facts.problem else None


def creator(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """Nobody can say whether the policy's ServiceAccount may do what the ladder does."""
    del incident, now
    return facts.rails.creator


def paused(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The policy, its namespace or the whole operator was switched off."""
    del incident, now
    if facts.spec.mode is Mode.PAUSED:
        return Refusal(Reason.PAUSED, "spec.mode is Paused: nothing is started")
    if facts.rails.paused is not None:
        return Refusal(facts.rails.paused.reason, facts.rails.paused.message)
    return None


def manual(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The policy acts only when a person asks for it."""
    del incident, now
    if facts.spec.mode is not Mode.MANUAL:
        return None
    return Refusal(Reason.MANUAL, "spec.mode is Manual: create a RecoveryRun of cause Manual to recover")


def not_firing(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """An incident is open, but nothing is wrong at this moment."""
    del incident, now
    if any_firing(facts.signals):
        return None
    return Refusal(Reason.NOT_FIRING, "; ".join(signal.message for signal in facts.signals) or "no trigger fires")


def needs_human(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """All attempts of this incident are used up."""
    del now
    attempts = attempts_of(facts, incident.id) if incident is not None else 0
    if attempts < facts.spec.limits.max_attempts:
        return None
    return Refusal(
        Reason.NEEDS_HUMAN,
        f"{attempts} of {facts.spec.limits.max_attempts} attempts did not help; mend the cause, then reset the policy",
    )


def dry_run_recorded(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """What would be done in this incident was recorded already: once is enough."""
    del now
    if facts.spec.mode is not Mode.DRY_RUN or incident is None:
        return None
    dry = next((record for record in facts.records if record.dry_run and record.incident == incident.id), None)
    if dry is None:
        return None
    return Refusal(Reason.DRY_RUN_RECORDED, f"spec.mode is DryRun: run {dry.name} says what would be done")


def target_gone(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The target is not there, or is being deleted."""
    del incident, now
    workload = facts.target.workload
    if workload is None or workload.meta.deleting:
        return Refusal(Reason.TARGET_GONE, f"{facts.spec.target_ref.kind} {facts.spec.target_ref.name} is gone")
    return None


def excluded(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The target's owner does not want it to be recovered."""
    del incident, now
    workload = facts.target.workload
    if workload is None or workload.meta.labels.get(EXCLUDE_LABEL) != "true":
        return None
    return Refusal(Reason.EXCLUDED, f"{workload.meta.key.name} carries the label {EXCLUDE_LABEL}=true")


def scaled_to_zero(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """There is nothing to recover."""
    del incident, now
    workload = facts.target.workload
    if workload is not None and workload.replicas == 0:
        return Refusal(Reason.SCALED_TO_ZERO, f"{workload.meta.key.name} is scaled to zero")
    return None


def interval(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The last run of this incident ended a moment ago. After runs without effect the pause grows."""
    number = incident.id if incident is not None else 0
    ended = sorted(
        (record for record in facts.counted_of(number) if record.finished_at is not None and record.started_at),
        key=lambda record: record.finished_at or record.created_at,
    )
    last = ended[-1].finished_at if ended else None
    if last is None:
        return None
    until = last + _pause(max(facts.spec.limits.interval, _LEAST_INTERVAL), ended)
    if now >= until:
        return None
    return Refusal(Reason.INTERVAL, f"the next attempt is due at {until:%H:%M:%S} UTC (limits.interval)", until)


def _pause(pause: timedelta, ended: Sequence[RunRecord]) -> timedelta:
    """The pause after these runs: doubled with every run in a row that had no effect and will hardly have one now."""
    idle = 0
    for record in reversed(ended):
        if record.effective or record.phase not in _IN_VAIN:
            break
        idle += 1
    return min(pause * 2**idle, max(pause, MAX_INTERVAL)) if idle else pause


def cooldown(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """A run of another incident or policy on this target succeeded a moment ago."""
    number = incident.id if incident is not None else 0
    others = [record for record in facts.counted if record.incident != number or number == 0]
    moments = [_succeeded_at(record) for record in (*others, *facts.target_records)]
    known = [moment for moment in moments if moment is not None]
    if not known:
        return None
    until = max(known) + facts.spec.limits.cooldown
    if now >= until:
        return None
    return Refusal(Reason.COOLDOWN, f"a run on this target succeeded; cooldown until {until:%H:%M:%S} UTC", until)


def _succeeded_at(record: RunRecord) -> datetime | None:
    return record.finished_at if record.phase == RunPhase.SUCCEEDED and not record.dry_run else None


def budget(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """The policy, the workload, the namespace or the cluster has had all the runs it may have for now."""
    del incident, now
    return facts.rails.budget


def target_leased(facts: PolicyFacts, incident: IncidentStatus | None, now: datetime) -> Refusal | None:
    """Another run works on this target."""
    del incident, now
    if not facts.lease_holder:
        return None
    return Refusal(Reason.TARGET_LEASED, f"the target's Lease is held by run {facts.lease_holder}")


RUN_GATES: tuple[RunGate, ...] = (
    stalled,
    creator,
    paused,
    manual,
    not_firing,
    needs_human,
    dry_run_recorded,
    target_gone,
    excluded,
    scaled_to_zero,
    interval,
    cooldown,
    budget,
    target_leased,
)

SKIPPED: dict[Cause, frozenset[RunGate]] = {
    Cause.TRIGGER: frozenset(),
    Cause.MANUAL: frozenset({manual, not_firing, needs_human, dry_run_recorded, interval, cooldown}),
    Cause.REPORTED: frozenset({not_firing}),
}
"""The gates that a run of this cause passes over. A report is itself what fires; a person knows what they do."""


def first_refusal(
    facts: PolicyFacts, incident: IncidentStatus | None, now: datetime, cause: Cause = Cause.TRIGGER
) -> Refusal | None:
    """Ask the gates in order."""
    for gate in RUN_GATES:
        if gate in SKIPPED[cause]:
            continue
        refusal = gate(facts, incident, now)
        if refusal is not None:
            return refusal
    return None
