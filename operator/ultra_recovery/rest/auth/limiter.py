"""How often an address may fail before it is not listened to for a while."""

from __future__ import annotations

from collections import OrderedDict, deque

from ultra_recovery.ports import Clock

FAILURES = 20
WITHIN = 60.0
_MOST_SOURCES = 10_000


class FailureLimiter:
    """Counts failed attempts per source in a sliding minute. Of too many sources the oldest is forgotten."""

    def __init__(self, clock: Clock, failures: int = FAILURES, within: float = WITHIN) -> None:
        self._clock, self._failures, self._within = clock, failures, within
        self._sources: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, source: str) -> float:
        """Seconds until this source is listened to again; 0 when it is now."""
        times = self._sources.get(source)
        if times is None:
            return 0.0
        self._drop_old(times)
        return times[0] + self._within - self._clock.boottime() if len(times) >= self._failures else 0.0

    def failed(self, source: str) -> None:
        """A failed attempt."""
        times = self._sources.pop(source, None)
        if times is None:
            times = deque(maxlen=self._failures)
        while len(self._sources) >= _MOST_SOURCES:
            self._sources.popitem(last=False)
        self._sources[source] = times
        self._drop_old(times)
        times.append(self._clock.boottime())

    def _drop_old(self, times: deque[float]) -> None:
        while times and times[0] <= self._clock.boottime() - self._within:
            times.popleft()
