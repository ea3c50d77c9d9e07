"""The way of watch events from kopf's thread into the loop of the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ultra_recovery.core.objects import Kind
from ultra_recovery.core.parsing import without_managed_fields

Feed = Callable[[Kind, Mapping[str, Any], bool], None]
_BATCH = 32
"""Events that are taken before anything else of the engine's loop has its turn: a start brings thousands."""


class Handover:
    """Passes events on in the order in which they came, some at a time.

    Args:
        loop: the loop that takes them.
        feed: called there with each event.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, feed: Feed) -> None:
        self._loop = loop
        self._feed = feed
        self._line: deque[tuple[Kind, Mapping[str, Any], bool]] = deque()
        self._called = False

    def put(self, kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
        """Pass an event on; called in kopf's thread."""
        self._line.append((kind, without_managed_fields(document), deleted))
        self._call()

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        """Take some, in the loop of the engine, and come again for the rest: also when one of them is not taken."""
        try:
            for _ in range(min(len(self._line), _BATCH)):
                self._feed(*self._line.popleft())
        finally:
            self._called = False
            # Whoever put one in before that line saw that somebody would come.
            if self._line:
                self._call()
