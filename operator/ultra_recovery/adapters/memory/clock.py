"""Time and chance under the control of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class FakeClock:
    """A clock that follows the running event loop, which in tests has virtual time.

    Before a loop runs, it stands at its start.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._skew = timedelta()

    def now(self) -> datetime:
        """The fixed start plus the loop's time."""
        return self._start + self._skew + timedelta(seconds=self.boottime())

    def boottime(self) -> float:
        """The loop's time."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    async def sleep(self, seconds: float) -> None:
        """Sleep in the loop's time."""
        await asyncio.sleep(seconds)  # noqa: TID251 - this is the clock

    def jump(self, seconds: float) -> None:
        """Let the wall clock jump, as when somebody sets it; `boottime` does not."""
        self._skew += timedelta(seconds=seconds)


class FixedRandom:
    """Gives the same numbers in turn, for ever."""

    def __init__(self, values: Sequence[float] = (0.0,)) -> None:
        self._values = tuple(values)
        self._given = 0

    def random(self) -> float:
        """The next number."""
        value = self._values[self._given % len(self._values)]
        self._given += 1
        return value
