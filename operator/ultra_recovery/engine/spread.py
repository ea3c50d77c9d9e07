"""Spreads first probes: each breaker keeps its moment from then on, so that an uneven start would be felt for ever."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ultra_recovery.ports import Random

PER_BREAKER = 0.01
"""Seconds by which first probes are spread per breaker: a hundred breakers are probed within a second of a start."""
SOON = 0.7
"""Share of an interval in which all first probes come, however many there are: the rest is for the start itself."""
_MEMORY = 30.0
"""Seconds for which breakers count as begun together."""
_GOLDEN = 0.618033988749895
"""Multiples of it, without their whole part, fill the span between 0 and 1 evenly, however many there are."""


@dataclass(frozen=True, slots=True)
class Slot:
    """When a breaker is probed, in intervals from now.

    Attributes:
        first: the first probe.
        second: the second one, where it comes earlier than an interval after the first; None where it does not.
    """

    first: float
    second: float | None = None


class Spread:
    """Where in its interval a breaker is probed for the first time."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._offset: float | None = None
        self._count = 0
        self._begun: deque[float] = deque()

    def next(self, unknown: int, interval: float, now: float) -> Slot:
        """When the next breaker is probed.

        One that comes alone is probed at once, however many others there are; those that come together share a span
        that grows with their number. So many that they need the whole interval have their first probes sooner, and
        share the interval evenly from the second on, which comes after 0.7 to 1 interval.

        Args:
            unknown: breakers that are not taken up yet, this one among them.
            interval: seconds.
            now: seconds on a clock that never jumps.
        """
        if self._offset is None:
            self._offset = self._random.random()
        while self._begun and self._begun[0] < now - _MEMORY:
            self._begun.popleft()
        together = len(self._begun) + unknown
        self._begun.append(now)
        place = (self._offset + self._count * _GOLDEN) % 1.0
        self._count += 1
        span = min(1.0, together * PER_BREAKER / interval)
        if span <= SOON:
            return Slot(place * span)
        return Slot(place * SOON, SOON + place * span)
