"""From the result of a step to what follows: the next rung, or the end of the run. A table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ultra_recovery.apis.action import OnError, Step
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import RunPhase, StepResult, StepStatus


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends."""

    phase: RunPhase
    reason: Reason
    message: str


CLIMBS = {
    StepResult.VERIFIED: False,
    StepResult.UNVERIFIED: True,
    StepResult.NOTHING_TO_DO: True,
    StepResult.ERROR: True,
    StepResult.BLOCKED: False,
    StepResult.INCONCLUSIVE: False,
    StepResult.UNKNOWN: False,
    StepResult.NOTIFIED: True,
    StepResult.SKIPPED: True,
    StepResult.DRY_RUN: True,
}
"""Whether the next rung is tried after a step with this result."""

_SILENT = frozenset({StepResult.NOTIFIED, StepResult.SKIPPED})
"""Results that decide nothing."""


def climbs(rung: Step, step: StepStatus) -> bool:
    """Whether the next rung is tried after this step."""
    if step.result is None or (step.result is StepResult.ERROR and rung.on_error is OnError.STOP):
        return False
    return CLIMBS[step.result]


def is_told(rung: Step) -> bool:
    """Whether a rung only tells people: its result decides nothing, and no gate forbids it."""
    return rung.action.notify is not None


def next_rung(ladder: Sequence[Step], steps: Sequence[StepStatus]) -> int | None:
    """Index of the rung that follows, None when the run ends.

    Once a step has stopped the climb, only those that tell people follow: whoever relies on the ladder must hear that
    it ended early. After success nobody needs to be told.
    """
    done = list(zip(ladder, steps, strict=False))
    if any(step.result is StepResult.VERIFIED for _, step in done):
        return None
    stopped = any(not is_told(rung) and not climbs(rung, step) for rung, step in done)
    return next((n for n in range(len(steps), len(ladder)) if not stopped or is_told(ladder[n])), None)


def ending_of(ladder: Sequence[Step], steps: Sequence[StepStatus]) -> Ending:
    """How a run ends whose last step stopped the climb, or was the last rung."""
    decisive = [
        (rung, step)
        for rung, step in zip(ladder, steps, strict=False)
        if not is_told(rung) and step.result not in _SILENT
    ]
    if not decisive:
        return Ending(RunPhase.FAILED, Reason.NOTHING_TO_DO, "the ladder only tells people, and that was done")
    rung, last = decisive[-1]
    reason = Reason(last.reason) if last.reason else Reason.LADDER_EXHAUSTED
    message = last.message or ""
    if last.result is StepResult.VERIFIED:
        return Ending(RunPhase.SUCCEEDED, Reason.VERIFIED, message)
    if last.result is StepResult.BLOCKED:
        return Ending(RunPhase.CANCELLED, reason, message)
    if last.result in (StepResult.INCONCLUSIVE, StepResult.UNKNOWN):
        return Ending(RunPhase.INCONCLUSIVE, reason, message)
    results = {step.result for _, step in decisive}
    if last.result is StepResult.ERROR and rung.on_error is OnError.STOP:
        return Ending(RunPhase.ERROR, reason, message)
    if StepResult.UNVERIFIED in results:
        return Ending(RunPhase.FAILED, Reason.LADDER_EXHAUSTED, f"every step was tried; the last: {message}")
    if StepResult.ERROR in results:
        return Ending(RunPhase.ERROR, reason, message)
    return Ending(RunPhase.FAILED, Reason.NOTHING_TO_DO, "no step of the ladder found anything to act on")


def cause_of(ladder: Sequence[Step], steps: Sequence[StepStatus]) -> str:
    """Why there is something to tell: the reason of the latest step that decides, or that the ladder begins."""
    reasons = [
        step.reason
        for rung, step in zip(ladder, steps, strict=False)
        if not is_told(rung) and step.result not in (*_SILENT, None) and step.reason
    ]
    return reasons[-1] if reasons else Reason.RUN_STARTED
