"""A queue of keys to look at: each at most once at a time, now or at a later moment, failures with a growing delay."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable

from ultra_recovery.core.errors import ApiError, Conflict, NotLeader, TooManyRequests
from ultra_recovery.core.objects import Key
from ultra_recovery.ports import Clock

log = logging.getLogger(__name__)

Worker = Callable[[Key], Awaitable[float | None]]
_CONFLICT_DELAY = 0.1
_FIRST_DELAY, _MAX_DELAY = 0.5, 5.0
_TICK = 0.001
"""The shortest wait: rounding must not make a moment that is about to come into many waits of nothing."""
_BATCH = 32
"""Keys that are begun before anything else of this process has its turn: a start, when thousands are due at once, must
not keep the leader's Lease waiting."""
_LONGEST_HOLD = 30.0
"""A server that asks for more than this is asked again all the same."""


class WorkQueue:
    """Calls `worker(key)` for every key that is due. Its answer is the seconds to the next look, or None.

    One key is never worked on twice at the same time; a key that is added meanwhile is looked at again afterwards. A
    worker that waits (a slow API server) holds back no other key.
    """

    def __init__(self, name: str, worker: Worker, clock: Clock) -> None:
        self.name = name
        self._worker = worker
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._busy: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._held: dict[Key, float] = {}
        self._wake = asyncio.Event()
        self._until = float("inf")

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Look at `key` after `delay` seconds, or earlier if it is due earlier already."""
        due = self._clock.boottime() + max(delay, 0.0)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
            # Most are due later than what is waited for.
            if due < self._until:
                self._wake.set()

    @property
    def lag(self) -> float:
        """Seconds for which the key that waits longest has been due or in work; 0.0 while there is none."""
        since = [*self._busy.values(), *(due for due, _ in self._heap[:1])]
        return max(self._clock.boottime() - min(since), 0.0) if since else 0.0

    async def run(self) -> None:
        """Work until cancelled; what is being worked on is cancelled with it."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                taken = self._take_due()
                for key in taken:
                    self._busy[key] = self._clock.boottime()
                    group.create_task(self._handle(key))
                if len(taken) < _BATCH:
                    await self._wait()
                else:
                    await self._clock.sleep(0)

    def _take_due(self) -> list[Key]:
        now = self._clock.boottime()
        taken: list[Key] = []
        later: list[tuple[float, Key]] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < _BATCH:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                continue
            if key in self._busy:
                later.append((due, key))
                continue
            held = self._held.pop(key, 0.0)
            if held > now:
                # An event must not shorten the wait that the API server asked for.
                self._held[key] = held
                later.append((held, key))
                continue
            del self._due[key]
            taken.append(key)
        for entry in later:
            # Added again while in work, when _handle wakes the queue as it is done; or held back.
            self._due[entry[1]] = entry[0]
            heapq.heappush(self._heap, entry)
        return taken

    async def _wait(self) -> None:
        idle = [due for due, key in self._heap[:1] if key not in self._busy]
        now = self._clock.boottime()
        delay = max(idle[0] - now, _TICK) if idle else (0.05 if self._heap else None)
        self._until = now + delay if delay is not None else float("inf")
        # Most waits end because something is due: a timer raises nothing in the task then, as a timeout would.
        timer = asyncio.get_running_loop().call_later(delay, self._wake.set) if delay is not None else None
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _handle(self, key: Key) -> None:
        try:
            delay = await self._worker(key)
            self._failures.pop(key, None)
        except Conflict as error:
            log.debug("conflict, looking again", extra={"object": str(key), "error": str(error)})
            delay = _CONFLICT_DELAY
        except (ApiError, NotLeader) as error:
            delay = self._back_off(key)
            if isinstance(error, TooManyRequests) and error.retry_after:
                delay = max(delay, min(error.retry_after, _LONGEST_HOLD))
                self._held[key] = self._clock.boottime() + delay
            log.warning("cannot go on now", extra={"object": str(key), "error": str(error), "retry_seconds": delay})
        except Exception:
            # A bug that one object brings out must not stop the care for all others.
            delay = self._back_off(key)
            log.exception("unexpected error", extra={"object": str(key), "queue": self.name})
        finally:
            self._busy.pop(key, None)
            if key in self._due:
                self._wake.set()
        if delay is not None:
            self.add(key, delay)

    def _back_off(self, key: Key) -> float:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        return float(min(_FIRST_DELAY * 2 ** min(count, 10), _MAX_DELAY))
