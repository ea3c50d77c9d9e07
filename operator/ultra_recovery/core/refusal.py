"""Why something is not done: for good, or now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ultra_recovery.apis.reasons import Reason


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an object cannot be enforced until somebody mends it, or why a run shall stop."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not done now.

    Attributes:
        reason: the gate.
        message: a sentence that says what would have to change.
        next_look: when it may change by the passing of time alone.
        transient: it will be over in a moment (a probe is on its way): nothing is written unless it lasts.
    """

    reason: Reason
    message: str
    next_look: datetime | None = field(default=None)
    transient: bool = False

    def later(self, now: datetime, delay: timedelta) -> datetime:
        """When to look again: at `next_look`, at the latest after `delay`."""
        fallback = now + delay
        return min(self.next_look, fallback) if self.next_look is not None and self.next_look > now else fallback
