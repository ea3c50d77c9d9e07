"""A run, from its creation to its end: one pure function that says what comes next.

    Pending ──gates, Lease──▶ Running: [ Waiting ──gates──▶ Acting ──settled──▶ Verifying ──▶ Done ]* ──▶ ended
                                 ▲  │
                                 │  └──a step asks for approval──▶ AwaitingApproval ──▶ ended
                                 └────────────approved────────────────┘

`advance` is asked again and again. Each answer is one small step: a new status to write, or an effect to carry out
(its intent stands in the status that is written first), or the moment of the next look. Nothing is remembered between
two calls except what the status holds, so a run that was interrupted at any line goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.action import Action
from ultra_recovery.apis.meta import CANCEL_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectStatus, RecoveryRunStatus, RunPhase
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import Planner
from ultra_recovery.core.facts import RunFacts
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.run_pending import pending_problem, pending_refusal, waits_for
from ultra_recovery.core.run_rehearsal import rehearse
from ultra_recovery.core.signals import all_clear, all_muted, next_change
from ultra_recovery.core.step import advance_step
from ultra_recovery.core.step_context import deadline_of

LEASE_RETRY = timedelta(seconds=2)
FindPlanner = Callable[[Action], Planner | None]


@dataclass(frozen=True, slots=True)
class Advance:
    """What comes next in a run.

    Attributes:
        status: the status to be there; written first if it differs from the stored one.
        effect: the effect to carry out after that.
        wants_lease: the target's Lease is needed before anything else can be decided.
        wants_breaker: likewise the Leases of the breakers that the current step touches.
        next_look: when to ask again if there is neither.
    """

    status: RecoveryRunStatus
    effect: EffectStatus | None = None
    wants_lease: bool = False
    wants_breaker: bool = False
    next_look: datetime | None = None


def stop_request(facts: RunFacts) -> Problem | None:
    """Whether somebody wants the run to stop: by annotation, through the policy, a breaker, the namespace or all."""
    if CANCEL_ANNOTATION in facts.run.meta.annotations:
        return Problem(Reason.CANCEL_REQUESTED, "cancelled by annotation")
    if facts.run.meta.deleting:
        return Problem(Reason.CANCEL_REQUESTED, "the run is being deleted")
    policy = facts.policy
    if policy is None or policy.meta.deleting:
        return Problem(Reason.POLICY_GONE, "the policy was deleted")
    if policy.spec is not None and policy.spec.mode is Mode.PAUSED:
        return Problem(Reason.PAUSED, "the policy was paused")
    if facts.triggered and all_muted(facts.signals):
        return Problem(Reason.OVERRIDDEN, "; ".join(signal.message for signal in facts.signals))
    return facts.rails.paused


def advance(facts: RunFacts, find_planner: FindPlanner, now: datetime) -> Advance:
    """Decide what comes next in a run.

    Args:
        facts: all that is known.
        find_planner: the action that carries out a step; None for one that this version does not know.
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
        return _pending(facts, spec, find_planner, now)
    return _running(facts, find_planner, now)


def _pending(facts: RunFacts, spec: RecoveryRunSpec, find_planner: FindPlanner, now: datetime) -> Advance:
    """Before the start: everything that forbids it, then the plan, the Lease and one more look at the signals."""
    status = facts.run.status

    def cancelled(reason: Reason, message: str) -> Advance:
        return Advance(record.finish(status, RunPhase.CANCELLED, reason, message, now))

    stop = stop_request(facts)
    if stop is not None:
        return cancelled(stop.reason, stop.message)
    expires_at = (facts.run.meta.created_at or now) + spec.expires_after
    if now >= expires_at:
        waited = f": {status.message}" if status.message else ""
        return cancelled(Reason.EXPIRED, f"the run could not start within expiresAfter{waited}")
    problem = pending_problem(facts, spec)
    if problem is not None:
        return cancelled(problem.reason, problem.message)
    workload, policy = facts.target.workload, facts.policy
    if workload is None or policy is None or policy.spec is None:
        return cancelled(Reason.TARGET_GONE, "the target does not exist")
    if status.plan is None:
        incident = policy.status.incident if spec.incident is not None else None
        return Advance(record.adopt_plan(status, policy.spec, spec, policy.meta.generation, workload, incident))
    if facts.triggered and all_clear(facts.signals):
        return cancelled(Reason.SELF_RECOVERED, "the signals cleared before the first effect")
    refusal = pending_refusal(facts, spec, now)
    if refusal is not None and refusal.reason is Reason.NOT_FIRING and facts.triggered:
        # Its incident is open and not all is clear: the leader has just started, and every `for` begins anew.
        return Advance(status, next_look=min(next_change(facts.signals) or now + LEASE_RETRY, expires_at))
    if refusal is not None:
        return _refused(status, spec, refusal, expires_at, now)
    return Advance(rehearse(facts, find_planner, now)) if spec.dry_run else _take_lease(facts, expires_at, now)


def _refused(
    status: RecoveryRunStatus, spec: RecoveryRunSpec, refusal: Refusal, expires_at: datetime, now: datetime
) -> Advance:
    """A gate refuses: a person's run waits for what passes with time, any other ends."""
    if not waits_for(spec, refusal):
        return Advance(record.finish(status, RunPhase.CANCELLED, refusal.reason, refusal.message, now))
    held = status.model_copy(update={"reason": refusal.reason, "message": refusal.message})
    return Advance(held, next_look=min(refusal.later(now, timedelta(seconds=10)), expires_at))


def _take_lease(facts: RunFacts, expires_at: datetime, now: datetime) -> Advance:
    """The last gate."""
    status, look = facts.run.status, min(now + LEASE_RETRY, expires_at)
    if facts.lease_held is None:
        return Advance(status, wants_lease=True, next_look=look)
    if not facts.lease_held:
        message = f"the target's Lease is held by run {facts.lease_holder}"
        waiting = status.model_copy(update={"reason": Reason.TARGET_LEASED, "message": message})
        return Advance(waiting, wants_lease=True, next_look=look)
    return Advance(record.start(status, now))


def _without_lease(facts: RunFacts, now: datetime) -> Advance:
    """Without the target's Lease nothing is done or judged; the end of the run does not wait for it."""
    status = facts.run.status
    if facts.lease_held is None or status.plan is None or now < deadline_of(status, status.plan, now):
        return Advance(status, wants_lease=True, next_look=now + LEASE_RETRY)
    acted = facts.had_effect or any(effect.outcome is None for step in status.steps for effect in step.effects)
    phase = RunPhase.INCONCLUSIVE if acted else RunPhase.CANCELLED
    message = f"limits.timeout is over, and the target's Lease was held by run {facts.lease_holder}"
    return Advance(record.finish(status, phase, Reason.TARGET_LEASED, message, now))


def _running(facts: RunFacts, find_planner: FindPlanner, now: datetime) -> Advance:
    """While it runs: the target must still be the same and the Lease ours; the rest is the current step's."""
    status = facts.run.status
    awaits = status.phase is RunPhase.AWAITING_APPROVAL
    if not awaits and not facts.lease_held:
        return _without_lease(facts, now)
    workload = facts.target.workload
    if workload is None or workload.meta.deleting or (status.target and workload.meta.uid != status.target.uid):
        message = "the target was deleted, or recreated under the same name"
        return Advance(record.finish(status, RunPhase.CANCELLED, Reason.TARGET_GONE, message, now))
    rung = facts.run.current_rung
    planner = find_planner(rung.action) if rung is not None else None
    if planner is None:
        message = "this version of the operator does not know the action of the current step"
        return Advance(record.finish(status, RunPhase.ERROR, Reason.INVALID_SPEC, message, now))
    answer = advance_step(facts, planner, stop_request(facts), now)
    return Advance(answer.status, effect=answer.effect, wants_breaker=answer.wants_breaker, next_look=answer.next_look)
