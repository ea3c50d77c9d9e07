"""Overrides: what a person decided about a breaker, and when that begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ultra_recovery.apis.breaker_rules import OverrideSpec, OverrideState
from ultra_recovery.apis.meta import format_time


@dataclass(frozen=True, slots=True)
class Override:
    """An override in force.

    Attributes:
        until: when it ends by itself; None: when it is removed.
        since: when this state was first enforced.
        reason: the words of whoever set it.
    """

    state: OverrideState
    since: datetime
    until: datetime | None = None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The override in words."""
        until = f" until {format_time(self.until)}" if self.until is not None else ""
        return f"spec.override is {self.state}{until}" + (f": {self.reason}" if self.reason else "")


def wanted_override(spec: OverrideSpec | None, now: datetime) -> Override | None:
    """The override that a spec asks for at this moment; None when it asks for none or its time is over."""
    if spec is None or is_over(spec, now):
        return None
    return Override(spec.state, now, spec.until, spec.reason or "")


def is_over(spec: OverrideSpec | None, now: datetime) -> bool:
    """Whether an override stands in the spec and its time is over."""
    return spec is not None and spec.until is not None and spec.until <= now


def differs(current: Override | None, wanted: Override | None) -> bool:
    """Whether something must happen so that what is in force is what is asked for."""
    if current is None or wanted is None:
        return current is not wanted
    return (current.state, current.until, current.reason) != (wanted.state, wanted.until, wanted.reason)
