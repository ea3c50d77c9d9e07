"""The real clock and real randomness: the only place that reads them."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime


class SystemClock:
    """Time of this machine."""

    def now(self) -> datetime:
        """Wall-clock time, UTC."""
        return datetime.now(UTC)

    def boottime(self) -> float:
        """Seconds since the machine started, suspended time included; never jumps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(seconds, 0.0))


class SystemRandom:
    """Jitter; nothing here needs to be unpredictable."""

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()
