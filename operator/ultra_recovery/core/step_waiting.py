"""Before the action of a step: is it still wanted, does it still fit, do the gates and a person let it? Pure."""

from __future__ import annotations

from ultra_recovery.apis.meta import APPROVE_ANNOTATION, REJECT_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import RunPhase, StepResult
from ultra_recovery.core import run_record as record
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.signals import good_since
from ultra_recovery.core.step_context import LOOK, Here, StepAdvance

SELF_RECOVERED = "the signals cleared before the first effect"
ROLLED_OUT = "somebody rolled the target out meanwhile"


def waiting(here: Here) -> StepAdvance:
    """Decide whether the action begins."""
    if here.tells:
        return _begin(here)
    early = _not_wanted(here)
    if early is not None:
        return early
    if not here.fits:
        return here.out_of_time()
    refusal = here.gate()
    if refusal is not None:
        return here.hold(refusal)
    if _needs_approval(here):
        name, run = here.rung.name, here.facts.run.meta.key.name
        message = f"step {name} waits for approval: kubectl annotate rr {run} {APPROVE_ANNOTATION}={name}"
        return StepAdvance(record.ask_approval(here.status, message, here.now))
    return _take_breakers(here) or _begin(here)


def _not_wanted(here: Here) -> StepAdvance | None:
    if here.stop is not None:
        return here.end(RunPhase.CANCELLED, here.stop.reason, here.stop.message)
    if here.clear:
        if here.facts.had_effect:
            return StepAdvance(record.begin_verify(here.status, here.now))
        return here.end(RunPhase.CANCELLED, Reason.SELF_RECOVERED, SELF_RECOVERED)
    if here.rolled_out:
        return here.end(RunPhase.INCONCLUSIVE, Reason.TARGET_CHANGED, ROLLED_OUT)
    return None


def _needs_approval(here: Here) -> bool:
    approval = here.rung.approval
    return approval is not None and approval.required and here.step.approved_at is None


def _take_breakers(here: Here) -> StepAdvance | None:
    """A step that touches a dependency holds its breaker's Lease: two repairs at once would disturb each other."""
    if not here.traits.breakers or here.facts.breaker_held:
        return None
    if here.facts.breaker_held is None:
        return StepAdvance(here.status, wants_breaker=True, next_look=here.now + LOOK)
    message = f"the dependency is being worked on by run {here.facts.breaker_holder}"
    return here.hold(Refusal(Reason.BREAKER_LEASED, message))


def _begin(here: Here) -> StepAdvance:
    created = [pod.meta.created_at for pod in here.facts.target.pods if pod.meta.created_at is not None]
    good = None if here.facts.triggered else good_since(here.facts.signals) is not None
    return StepAdvance(record.begin_action(here.status, max(created, default=None), good, here.now))


def awaiting_approval(here: Here) -> StepAdvance:
    """A person's word is wanted. Silence is no approval; the signals are looked at all the time."""
    early = _not_wanted_any_more(here)
    if early is not None:
        return early
    annotations, name = here.facts.run.meta.annotations, here.rung.name
    asked_at = here.step.approval_requested_at or here.now
    within = here.rung.approval.within if here.rung.approval else LOOK
    if annotations.get(REJECT_ANNOTATION) == name:
        return _refuse(here, Reason.APPROVAL_REJECTED, f"step {name} was rejected")
    if annotations.get(APPROVE_ANNOTATION) == name:
        return StepAdvance(record.leave_approval(here.status, approved=True, now=here.now))
    if here.now >= asked_at + within:
        return _refuse(here, Reason.APPROVAL_EXPIRED, f"nobody approved step {name} in time")
    return StepAdvance(here.status, next_look=min(asked_at + within, here.now + 30 * LOOK))


def _not_wanted_any_more(here: Here) -> StepAdvance | None:
    if here.stop is None and here.clear and here.facts.had_effect:
        # Verification needs the target's Lease, as every running step does.
        return StepAdvance(record.leave_approval(here.status, approved=False, now=here.now))
    return _not_wanted(here)


def _refuse(here: Here, reason: Reason, message: str) -> StepAdvance:
    left = record.leave_approval(here.status, approved=False, now=here.now)
    return StepAdvance(record.finish_step(left, StepResult.BLOCKED, reason, message, here.now))
