"""When the next attempt to reach a server is due. Pure."""

from __future__ import annotations

from ultra_recovery.apis.database import Backoff, Reconnect

LONGEST = 30.0
"""Seconds that a growing pause does not exceed."""


def pause_after(attempt: int, reconnect: Reconnect, chance: float) -> float:
    """Seconds to wait after a failed attempt.

    A growing pause has full jitter: many applications and Jobs that lost one server must not come back together.

    Args:
        attempt: number of the attempt that failed, from 1.
        reconnect: the schedule.
        chance: a number in [0, 1).
    """
    delay = reconnect.delay.total_seconds()
    if reconnect.backoff is Backoff.CONSTANT:
        return delay
    return min(delay * 2.0 ** (attempt - 1), LONGEST) * chance
