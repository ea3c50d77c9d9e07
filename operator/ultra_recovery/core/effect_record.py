"""Changes of the effects of a run's current step, one function each. Pure: old status in, new status out."""

from __future__ import annotations

from datetime import datetime

from ultra_recovery.apis.run_status import (
    MAX_EVIDENCE,
    MAX_LISTED_EFFECTS,
    EffectOutcome,
    EffectStatus,
    RecoveryRunStatus,
)
from ultra_recovery.core.action import Settlement
from ultra_recovery.core.run_record import MAX_TEXT, change_step, resume


def intend(status: RecoveryRunStatus, effect: EffectStatus, now: datetime) -> RecoveryRunStatus:
    """Write the intent of one effect: all that is needed to resume it. The latest twenty are kept."""
    resumed = resume(status, now)
    effects = [*resumed.steps[-1].effects, effect][-MAX_LISTED_EFFECTS:]
    return change_step(resumed, effects=effects)


def record_outcome(
    status: RecoveryRunStatus, identity: str, outcome: EffectOutcome, message: str | None, now: datetime
) -> RecoveryRunStatus:
    """Write what became of the effect with this identity."""
    status = resume(status, now)
    step = status.steps[-1]
    update = {"outcome": outcome, "outcome_at": now, "message": message[:MAX_TEXT] if message else None}
    effects = [
        effect.model_copy(update=update) if effect.id == identity and effect.outcome is None else effect
        for effect in step.effects
    ]
    return change_step(status, effects=effects, effect_count=step.effect_count + outcome.reached)


def record_settled(
    status: RecoveryRunStatus, identity: str, settlement: Settlement, now: datetime
) -> RecoveryRunStatus:
    """Write that an effect had its consequence: a replacement Ready, a Job finished.

    An effect that says of itself that it changed nothing is none.
    """
    step = status.steps[-1]
    effects = [
        effect.model_copy(update={"settled_at": now}) if effect.id == identity else effect for effect in step.effects
    ]
    count = max(step.effect_count - (settlement.changed is False), 0)
    evidence = settlement.evidence[:MAX_EVIDENCE] if settlement.evidence else step.evidence
    return change_step(status, effects=effects, effect_count=count, evidence=evidence)


def fail(status: RecoveryRunStatus, identity: str, message: str) -> RecoveryRunStatus:
    """Write that an effect was done and failed, such as a Job that ended badly. It stays counted: it may have acted."""
    update = {"outcome": EffectOutcome.FAILED, "message": message[:MAX_TEXT]}
    effects = [
        effect.model_copy(update=update) if effect.id == identity else effect for effect in status.steps[-1].effects
    ]
    return change_step(status, effects=effects)
