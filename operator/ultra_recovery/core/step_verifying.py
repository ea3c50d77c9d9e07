"""After the action of a step: the proof that it helped. Pure."""

from __future__ import annotations

from datetime import datetime

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import StepResult
from ultra_recovery.core import run_record as record
from ultra_recovery.core.signals import SignalState, fresh_at, good_since
from ultra_recovery.core.step_context import LOOK, Here, StepAdvance
from ultra_recovery.core.step_waiting import ROLLED_OUT


def verifying(here: Here) -> StepAdvance:
    """The signals that fired must be good for healthyFor, by fresh observations, within `within`."""
    verify, signals = here.plan.verify, here.facts.signals
    began = here.step.verify_started_at or here.now
    if here.rolled_out:
        return here.end_step(StepResult.INCONCLUSIVE, Reason.TARGET_CHANGED, ROLLED_OUT)
    good = good_since(signals)
    if good is not None:
        good = max(good, began)
        latest = fresh_at(signals)
        if latest is not None and latest - good >= verify.healthy_for:
            return _good(here, good)
    if here.now >= began + verify.within:
        return _too_late(here)
    if here.now >= here.deadline:
        return here.end_step(StepResult.INCONCLUSIVE, Reason.DEADLINE_EXCEEDED, "limits.timeout ended verification")
    moments = [began + verify.within, here.now + LOOK]
    if good is not None:
        moments.append(max(good + verify.healthy_for, here.now + LOOK / 10))
    return StepAdvance(here.status, next_look=min(moments))


def _good(here: Here, good: datetime) -> StepAdvance:
    """All is good. It proves something only if it was not so before."""
    message = "; ".join(signal.message for signal in here.facts.signals)
    if here.step.good_before:
        return here.end_step(StepResult.INCONCLUSIVE, Reason.GOOD_BEFORE, f"all was good before the step: {message}")
    held = record.change_step(here.status, good_since=good)
    return StepAdvance(record.finish_step(held, StepResult.VERIFIED, Reason.VERIFIED, message, here.now))


def _too_late(here: Here) -> StepAdvance:
    signals = here.facts.signals
    if not signals or any(signal.state is SignalState.UNKNOWN for signal in signals):
        return here.end_step(StepResult.INCONCLUSIVE, Reason.NO_SIGNAL, "there was no data to verify by")
    message = "; ".join(signal.message for signal in signals)
    return here.end_step(StepResult.UNVERIFIED, Reason.UNVERIFIED, message)
