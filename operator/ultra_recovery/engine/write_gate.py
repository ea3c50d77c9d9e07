"""How many statuses of a kind are being written at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 32
"""Writes at once: fewer than the connections to the API server, so that the leader's Lease never waits behind them.

Ten thousand breakers that a first start writes at the same moment would otherwise cost the leadership they are
written under.
"""


class WriteGate:
    """Places for writes. Pressing ones go first; otherwise in the order in which they came. For one event loop."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = at_once
        self._pressing: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self, *, pressing: bool) -> AsyncIterator[None]:
        """Hold a place for as long as the block runs; waits for one."""
        turn = asyncio.get_running_loop().create_future()
        (self._pressing if pressing else self._others).append(turn)
        self._hand_out()
        try:
            await turn
            yield
        finally:
            # Also for one who was cancelled: in the queue, or at the very moment in which it got its place.
            if turn.done() and not turn.cancelled():
                self._free += 1
            self._hand_out()

    def _hand_out(self) -> None:
        while self._free > 0 and (waiting := self._pressing or self._others):
            turn = waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)
