"""How long a login that was refused is not tried again. Pure.

A server that refuses a password would refuse it at every probe: that fills its log, and locks users out.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 30.0
"""Seconds after the first refusal."""
LONGEST = 600.0
"""Seconds that a pause never exceeds: so long a mended role or right may go unseen."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A row of refusals of the same user and password.

    Attributes:
        count: how many there were.
        until: when the next login may be tried, on a clock that never jumps.
    """

    count: int
    until: float


def after_refusal(before: Pause | None, now: float) -> Pause:
    """The pause after one more refusal: each twice as long as the one before."""
    count = before.count + 1 if before is not None else 1
    return Pause(count, now + min(FIRST * 2 ** min(count - 1, 10), LONGEST))
