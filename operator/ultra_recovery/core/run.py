"""A run, from its creation to its end: one pure function that says what comes next.

    Pending ──Lease──▶ Running: [ Waiting ──gates──▶ Acting ──settled──▶ Verifying ──▶ Done ]* ──▶ ended

`advance` is asked again and again. Each answer is one small step: a new status to write, or an effect to carry out
(its intent stands in the status that is written first), or the moment of the next look. Nothing is remembered between
two calls except what the status holds, so a run that was interrupted at any line goes on as if it had not been.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.meta import CANCEL_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectStatus, RecoveryRunStatus, RunPhase
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import Planner
from ultra_recovery.core.facts import Problem, RunFacts
from ultra_recovery.core.signals import all_clear
from ultra_recovery.core.step import advance_step

LEASE_RETRY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Advance:
    """What comes next in a run.

    Attributes:
        status: the status to be there; written first if it differs from the stored one.
        effect: the effect to carry out after that.
        wants_lease: the target's Lease is needed before anything else can be decided.
        next_look: when to ask again if there is neither.
    """

    status: RecoveryRunStatus
    effect: EffectStatus | None = None
    wants_lease: bool = False
    next_look: datetime | None = None


def stop_request(facts: RunFacts) -> Problem | None:
    """Whether somebody wants the run to stop: the user by annotation, or through the policy."""
    if CANCEL_ANNOTATION in facts.run.meta.annotations:
        return Problem(Reason.CANCEL_REQUESTED, "cancelled by annotation")
    if facts.run.meta.deleting:
        return Problem(Reason.CANCEL_REQUESTED, "the run is being deleted")
    policy = facts.policy
    if policy is None or policy.meta.deleting:
        return Problem(Reason.POLICY_GONE, "the policy was deleted")
    if policy.spec is not None and policy.spec.mode is Mode.PAUSED:
        return Problem(Reason.PAUSED, "the policy was paused")
    return None


def advance(facts: RunFacts, planner: Planner | None, now: datetime) -> Advance:
    """Decide what comes next in a run.

    Args:
        facts: all that is known.
        planner: the action of the current step; None while no step is current.
        now: the present.
    """
    status, spec = facts.run.status, facts.run.spec
    if status.phase is not None and status.phase.completed:
        return Advance(status)
    if spec is None:
        return Advance(record.finish(status, RunPhase.ERROR, Reason.INVALID_SPEC, facts.run.problem, now))
    if status.leader_term != facts.term:
        return Advance(record.claim(status, facts.term, now))
    if status.phase is RunPhase.PENDING:
        return _pending(facts, spec, now)
    return _running(facts, planner, now)


def _pending(facts: RunFacts, spec: RecoveryRunSpec, now: datetime) -> Advance:
    """Before the start: everything that forbids it, then the plan, the Lease and one more look at the signals."""
    status = facts.run.status

    def cancelled(reason: Reason, message: str) -> Advance:
        return Advance(record.finish(status, RunPhase.CANCELLED, reason, message, now))

    stop = stop_request(facts)
    if stop is not None:
        return cancelled(stop.reason, stop.message)
    expires_at = (facts.run.meta.created_at or now) + spec.expires_after
    if now >= expires_at:
        return cancelled(Reason.EXPIRED, "the run could not start within expiresAfter")
    workload = facts.target.workload
    if workload is None or workload.meta.deleting:
        return cancelled(Reason.TARGET_GONE, "the target does not exist")
    if status.plan is None:
        policy = facts.policy
        if policy is None or policy.spec is None:
            return cancelled(Reason.INVALID_SPEC, policy.problem if policy else "the policy was deleted")
        incident = policy.status.incident
        generation = policy.meta.generation
        return Advance(record.adopt_plan(status, policy.spec, generation, spec.triggers, workload, incident))
    if facts.lease_held is None:
        return Advance(status, wants_lease=True, next_look=min(now + LEASE_RETRY, expires_at))
    if not facts.lease_held:
        message = f"the target's Lease is held by run {facts.lease_holder}"
        waiting = status.model_copy(update={"reason": Reason.TARGET_LEASED, "message": message})
        return Advance(waiting, wants_lease=True, next_look=min(now + LEASE_RETRY, expires_at))
    if all_clear(facts.signals):
        return cancelled(Reason.SELF_RECOVERED, "the signals cleared before the first effect")
    return Advance(record.start(status, now))


def _running(facts: RunFacts, planner: Planner | None, now: datetime) -> Advance:
    """While it runs: the target must still be the same and the Lease ours; the rest is the current step's."""
    status = facts.run.status
    if facts.lease_held is None or not facts.lease_held:
        return Advance(status, wants_lease=True, next_look=now + LEASE_RETRY)
    workload = facts.target.workload
    if workload is None or workload.meta.deleting or (status.target and workload.meta.uid != status.target.uid):
        message = "the target was deleted, or recreated under the same name"
        return Advance(record.finish(status, RunPhase.CANCELLED, Reason.TARGET_GONE, message, now))
    if planner is None:
        message = "this version of the operator does not know the action of the current step"
        return Advance(record.finish(status, RunPhase.ERROR, Reason.INVALID_SPEC, message, now))
    answer = advance_step(facts, planner, stop_request(facts), now)
    return Advance(answer.status, effect=answer.effect, next_look=answer.next_look)
