"""One watch on its way through the proxy, and what can be done to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Protocol

from tests.matrix.faults import WatchFault

GONE_EVENT = {
    "type": "ERROR",
    "object": {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "reason": "Expired",
        "code": 410,
        "message": "too old resource version (injected)",
    },
}


class Chunks(Protocol):
    """Where the bytes of a watch come from."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """Bytes as they come."""


class WatchRules:
    """What is done to the watches of one experiment, from the moment on at which it strikes."""

    def __init__(self, fault: WatchFault | None) -> None:
        self.fault = fault
        self.active = False
        self.seen = 0
        self.hidden = 0
        self._struck, self._thaw = asyncio.Event(), asyncio.Event()

    def strike(self) -> None:
        """The moment has come."""
        self.active = True
        self._struck.set()

    async def until_struck(self) -> None:
        """Wait for that moment."""
        await self._struck.wait()

    async def pass_on(self) -> None:
        """Return when a byte may pass; while frozen that is never: TCP stays alive, and no byte comes any more."""
        if self.active and self.fault is WatchFault.FREEZE:
            await self._thaw.wait()

    def edit(self, line: bytes) -> list[bytes]:
        """One event in, what the operator gets out."""
        self.seen += 1
        if not self.active:
            return [line]
        if self.fault is WatchFault.DUPLICATE:
            return [line, line]
        if self.fault is WatchFault.HIDE_DELETED and json.loads(line).get("type") == "DELETED":
            self.hidden += 1
            return []
        return [line]

    @property
    def ends(self) -> bool:
        """Whether a strike ends the open watches."""
        return self.fault in (WatchFault.CUT, WatchFault.GONE)


async def lines_of(source: Chunks) -> AsyncIterator[bytes]:
    """Whole lines of a stream: one event each."""
    rest = b""
    async for chunk in source.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line + b"\n"
