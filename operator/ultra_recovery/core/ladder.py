"""From the result of a step to what follows: the next rung, or the end of the run. A table."""

from __future__ import annotations

from dataclasses import dataclass

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


def climbs(result: StepResult) -> bool:
    """Whether the next rung is tried after a step with this result."""
    return CLIMBS[result]


def ending_of(steps: list[StepStatus]) -> Ending:
    """How a run ends whose last step stopped the climb, or was the last rung."""
    last = steps[-1]
    reason = Reason(last.reason) if last.reason else Reason.LADDER_EXHAUSTED
    message = last.message or ""
    if last.result is StepResult.VERIFIED:
        return Ending(RunPhase.SUCCEEDED, Reason.VERIFIED, message)
    if last.result is StepResult.BLOCKED:
        return Ending(RunPhase.CANCELLED, reason, message)
    if last.result is StepResult.INCONCLUSIVE:
        return Ending(RunPhase.INCONCLUSIVE, reason, message)
    results = {step.result for step in steps}
    if StepResult.UNVERIFIED in results:
        return Ending(RunPhase.FAILED, Reason.LADDER_EXHAUSTED, f"every step was tried; the last: {message}")
    if StepResult.ERROR in results:
        return Ending(RunPhase.ERROR, reason, message)
    return Ending(RunPhase.FAILED, Reason.NOTHING_TO_DO, "no step of the ladder found anything to act on")
