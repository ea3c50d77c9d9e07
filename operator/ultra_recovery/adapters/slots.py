"""How many probes run at once: a bound for each namespace, one for all, and fair turns between namespaces."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PER_NAMESPACE = 64
"""Probes at once in one namespace: slow targets of one tenant must not use up what others need."""
AT_ONCE = 512
"""Probes at once in all namespaces: sockets and memory of this process are bounded."""


class Slots:
    """Places for probes.

    While places are scarce, the next one goes to the waiting namespace that holds the fewest; among those that hold
    the same number, to the one that has waited longest since its last turn. So a namespace with many slow targets
    waits behind one with few. Not thread-safe: used from one event loop.
    """

    def __init__(self, per_namespace: int = PER_NAMESPACE, at_once: int = AT_ONCE) -> None:
        self._per_namespace = per_namespace
        self._free = at_once
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def place(self, namespace: str) -> AsyncIterator[None]:
        """Hold a place for as long as the block runs; waits for one."""
        if self._waiting or self._free <= 0 or self._held[namespace] >= self._per_namespace:
            await self._wait(namespace)
        else:
            # Nobody waits, which is the rule: no future, and no turn of the loop.
            self._free -= 1
            self._held[namespace] += 1
        try:
            yield
        finally:
            self._give_back(namespace)

    async def _wait(self, namespace: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled in the queue, or at the very moment in which it got its place.
            if turn.done() and not turn.cancelled():
                self._give_back(namespace)
            else:
                self._hand_out()
            raise

    def _give_back(self, namespace: str) -> None:
        self._free += 1
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]
        if self._waiting:
            self._hand_out()

    def _hand_out(self) -> None:
        while self._free > 0:
            namespace = self._next()
            if namespace is None:
                return
            turns = self._waiting[namespace]
            turn = turns.popleft()
            self._waiting.move_to_end(namespace)
            if not turns:
                del self._waiting[namespace]
            if not turn.done():
                self._free -= 1
                self._held[namespace] += 1
                turn.set_result(None)

    def _next(self) -> str | None:
        able = [name for name in self._waiting if self._held[name] < self._per_namespace]
        return min(able, key=self._held.__getitem__, default=None)
