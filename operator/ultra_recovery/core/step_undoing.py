"""Taking back what a step did and what did not help. Pure."""

from __future__ import annotations

from datetime import timedelta

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, StepResult
from ultra_recovery.core import effect_record as effects
from ultra_recovery.core import run_record as record
from ultra_recovery.core.step_acting import is_unsettled
from ultra_recovery.core.step_context import LOOK, Here, StepAdvance

_GRACE = timedelta(seconds=5)
"""Beyond the step's timeout, within which a Job is killed by its own deadline: for the news of that to arrive."""


def undoing(here: Here) -> StepAdvance:
    """What the step did is taken back, whatever the gates say: cleaning up comes before every gate."""
    wanted = here.planner.undo(here.view())
    if wanted is None:
        return _leave(here, here.step.message or "")
    effect = next((item for item in here.step.effects if item.id == wanted.id), None)
    if effect is None:
        return StepAdvance(effects.intend(here.status, wanted, here.now), effect=wanted)
    if effect.outcome is None:
        return _pending(here, effect)
    if is_unsettled(effect):
        return _settle(here, effect)
    if effect.outcome is EffectOutcome.FAILED:
        return _failed(here, effect.message or "it was refused")
    return _leave(here, f"{here.step.message or here.step.result}; taken back by {effect.object}")


def _pending(here: Here, effect: EffectStatus) -> StepAdvance:
    """The intent is written: look first, then repeat. Taking back is guarded by its name, so repeating is harmless."""
    sighting = here.planner.look(effect, here.view())
    if sighting.outcome is not None:
        status = effects.record_outcome(here.status, effect.id, sighting.outcome, sighting.message, here.now)
        return StepAdvance(status)
    if _is_late(here, effect):
        return _failed(here, "it could not be started in time")
    refused = here.facts.refused
    if refused is not None and refused.next_look is not None and refused.next_look > here.now:
        return StepAdvance(here.status, next_look=refused.later(here.now, LOOK))
    return StepAdvance(here.status, effect=effect)


def _settle(here: Here, effect: EffectStatus) -> StepAdvance:
    settlement = here.planner.settled(effect, here.view())
    if settlement is None:
        if _is_late(here, effect):
            return _failed(here, "it did not end in time")
        return StepAdvance(here.status, next_look=here.now + LOOK)
    status = effects.record_settled(here.status, effect.id, settlement, here.now)
    return StepAdvance(status if settlement.ok else effects.fail(status, effect.id, settlement.message))


def _is_late(here: Here, effect: EffectStatus) -> bool:
    return here.now - effect.intent_at >= here.rung.timeout + _GRACE


def _leave(here: Here, message: str) -> StepAdvance:
    result, reason = here.step.result or StepResult.ERROR, Reason(here.step.reason or Reason.UNDO_FAILED)
    return StepAdvance(record.finish_step(here.status, result, reason, message, here.now))


def _failed(here: Here, why: str) -> StepAdvance:
    message = f"what the step did could not be taken back: {why}; before that: {here.step.message or here.step.result}"
    return StepAdvance(record.finish_step(here.status, StepResult.ERROR, Reason.UNDO_FAILED, message, here.now))
