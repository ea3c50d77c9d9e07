"""During the action of a step: first what is open, then the next effect, then verification. Pure."""

from __future__ import annotations

from datetime import timedelta

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RunPhase, StepResult
from ultra_recovery.core import effect_record as effects
from ultra_recovery.core import run_record as record
from ultra_recovery.core.action import EffectClass, StepView
from ultra_recovery.core.objects import Pod
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.signals import next_change
from ultra_recovery.core.step_context import LOOK, Here, StepAdvance
from ultra_recovery.core.step_waiting import ROLLED_OUT, SELF_RECOVERED

_SETTLES = frozenset({EffectOutcome.EVICTED, EffectOutcome.CREATED, EffectOutcome.CALLED, EffectOutcome.GONE})
"""Outcomes after which a consequence is awaited."""


def acting(here: Here) -> StepAdvance:
    """Decide what comes next in the action."""
    view = here.view()
    pending = next((effect for effect in here.step.effects if effect.outcome is None), None)
    if pending is not None:
        return _pending_effect(here, view, pending)
    open_effect = next((effect for effect in here.step.effects if is_unsettled(effect)), None)
    if open_effect is not None:
        return settle(here, view, open_effect)
    early = _bad_outcome(here) or _await_touched(here)
    if early is not None:
        return early
    proposal = None if here.enough and not here.tells else here.planner.propose(view)
    if proposal is None:
        return _await_pending(here) or _leave_action(here)
    if here.acted_for >= here.rung.timeout:
        return here.end_step(StepResult.UNVERIFIED, Reason.STEP_TIMEOUT, f"not done within {here.rung.timeout}")
    if not (here.fits or here.tells):
        # The time of a wait is not the step's, but it is the run's.
        return here.out_of_time()
    refusal = _gate(here, proposal.pod)
    if refusal is not None:
        return here.hold(refusal)
    return StepAdvance(effects.intend(here.status, proposal.effect, here.now), effect=proposal.effect)


def _await_touched(here: Here) -> StepAdvance | None:
    """Whether there is anything to do on a database is told by a fresh probe; a new leader knows none at first."""
    refusal = here.awaited_probe() if not (here.step.effects or here.enough) else None
    if refusal is None:
        return None
    return here.hold(refusal) if here.fits else here.out_of_time()


def _await_pending(here: Here) -> StepAdvance | None:
    """No pod to act on yet, but a trigger's condition holds and its `for` runs: wait inside the step's timeout.

    A leader that has just started knows nothing of the time before it: without this wait it would find nothing to do.
    """
    fires_at, left = next_change(here.facts.signals), here.rung.timeout - here.acted_for
    if here.rung.action.restart_pods is None or fires_at is None or left <= timedelta(0) or here.enough:
        return None
    return StepAdvance(here.status, next_look=min(fires_at, here.now + min(left, LOOK)))


def is_unsettled(effect: EffectStatus) -> bool:
    """Whether the consequence of an effect is still awaited."""
    return effect.outcome in _SETTLES and effect.settled_at is None


def _bad_outcome(here: Here) -> StepAdvance | None:
    """An effect that failed, or of which nothing will ever be known, ends the action."""
    outcomes = {effect.outcome: effect for effect in here.step.effects}
    failed = outcomes.get(EffectOutcome.FAILED)
    if failed is not None:
        reason = Reason.NOTIFICATION_FAILED if here.tells else Reason.EFFECT_FAILED
        return here.end_step(StepResult.ERROR, reason, failed.message or "the effect was refused")
    unknown = outcomes.get(EffectOutcome.UNKNOWN)
    if unknown is not None:
        message = unknown.message or "the effect was begun, and whether it was done is not known; it is not repeated"
        return here.end_step(StepResult.UNKNOWN, Reason.OUTCOME_UNKNOWN, message)
    return None


def _leave_action(here: Here) -> StepAdvance:
    """Nothing is left to do: on to verification, or the step found nothing to do."""
    step = here.step
    if here.tells:
        if step.effects:
            return here.end_step(StepResult.NOTIFIED, Reason.NOTIFIED, f"told: {step.effects[-1].object}")
        return here.end_step(StepResult.NOTHING_TO_DO, Reason.NOTHING_TO_DO, "told already in this incident")
    if any(effect.outcome in _SETTLES for effect in step.effects) and _changed_something(here):
        return StepAdvance(record.begin_verify(here.status, here.now))
    if here.stop is not None:
        return here.end(RunPhase.CANCELLED, here.stop.reason, here.stop.message)
    if here.rolled_out:
        return here.end(RunPhase.INCONCLUSIVE, Reason.TARGET_CHANGED, ROLLED_OUT)
    if here.clear and not here.facts.had_effect:
        return here.end(RunPhase.CANCELLED, Reason.SELF_RECOVERED, SELF_RECOVERED)
    message = "the effect says that it changed nothing" if step.effects else "nothing to act on"
    return here.end_step(StepResult.NOTHING_TO_DO, Reason.NOTHING_TO_DO, message)


def _changed_something(here: Here) -> bool:
    """A pod that somebody else removed is verified, too; a Job that changed nothing is not."""
    gone = any(effect.outcome is EffectOutcome.GONE for effect in here.step.effects)
    return gone or here.step.effect_count > 0


def _pending_effect(here: Here, view: StepView, effect: EffectStatus) -> StepAdvance:
    """An intent without an outcome: look first, then ask the gates again, then repeat the same effect."""
    sighting = here.planner.look(effect, view)
    if sighting.outcome is not None:
        status = effects.record_outcome(here.status, effect.id, sighting.outcome, sighting.message, here.now)
        return StepAdvance(status)
    if here.traits.effect_class is EffectClass.ONCE:
        return StepAdvance(effects.record_outcome(here.status, effect.id, EffectOutcome.UNKNOWN, None, here.now))
    late = here.acted_for >= here.rung.timeout
    if here.tells:
        return _pending_message(here, effect, late=late, under_way=sighting.under_way)
    gate = _refused_for_now(here) or _gate(here, here.pod_of(effect))
    if here.enough or late or not here.fits:
        return _withdraw(here, effect, gate, late=late)
    return here.hold(gate) if gate is not None else StepAdvance(here.status, effect=effect)


def _withdraw(here: Here, effect: EffectStatus, gate: Refusal | None, *, late: bool) -> StepAdvance:
    """The server said no, or was never asked since the last look: without an outcome there was no effect."""
    status = effects.record_outcome(here.status, effect.id, EffectOutcome.WITHDRAWN, None, here.now)
    if here.enough:
        return StepAdvance(status)
    if gate is not None:
        return StepAdvance(record.finish_step(status, StepResult.BLOCKED, gate.reason, gate.message, here.now))
    result, reason = StepResult.BLOCKED, Reason.DEADLINE_EXCEEDED
    if late:
        result, reason = StepResult.UNVERIFIED, Reason.STEP_TIMEOUT
    message = f"{effect.kind} {effect.object} was not done in time, and is not done any more"
    return StepAdvance(record.finish_step(status, result, reason, message, here.now))


def _gate(here: Here, pod: Pod | None) -> Refusal | None:
    """What stands against the next effect: a breaker's Lease that another run took, or a gate."""
    if here.traits.breakers and here.facts.breaker_held is False:
        return Refusal(Reason.BREAKER_LEASED, f"the dependency is being worked on by run {here.facts.breaker_holder}")
    return here.gate(pod)


def _refused_for_now(here: Here) -> Refusal | None:
    """What the server answered to the effect, as long as it asked to wait; after that the gates are asked anew."""
    refused = here.facts.refused
    return refused if refused is not None and (refused.next_look is None or refused.next_look > here.now) else None


def _pending_message(here: Here, effect: EffectStatus, *, late: bool, under_way: bool) -> StepAdvance:
    """A message is sent again until it is delivered: at least once, with the same key."""
    if late:
        message = "not delivered within the step's timeout"
        return StepAdvance(effects.record_outcome(here.status, effect.id, EffectOutcome.FAILED, message, here.now))
    if under_way or here.facts.refused is not None:
        return StepAdvance(here.status, next_look=here.now + LOOK / 4)
    return StepAdvance(here.status, effect=effect)


def settle(here: Here, view: StepView, effect: EffectStatus) -> StepAdvance:
    """Wait for the consequence of an effect, such as the replacement Ready, inside the step's timeout."""
    settlement = here.planner.settled(effect, view)
    if settlement is not None:
        status = effects.record_settled(here.status, effect.id, settlement, here.now)
        if settlement.ok:
            return StepAdvance(status)
        status = effects.fail(status, effect.id, settlement.message)
        return StepAdvance(status)
    left = here.rung.timeout - here.acted_for
    if left <= timedelta(0):
        message = f"{effect.kind} {effect.object}: its consequence was not seen within the step's timeout"
        return here.end_step(StepResult.UNVERIFIED, Reason.STEP_TIMEOUT, message)
    return StepAdvance(here.status, next_look=here.now + min(left, LOOK))
