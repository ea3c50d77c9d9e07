"""The real clock and real chance: the one place that reads them."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def boottime(self) -> float:
        """Seconds since boot, counted through suspension: a Lease runs out while the machine sleeps, too."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SystemRandom:
    """Chance from Python's generator: good for jitter, not for secrets."""

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()
