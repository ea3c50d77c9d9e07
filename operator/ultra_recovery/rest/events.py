"""Server-sent events: every change of a breaker or run, with its resourceVersion as id, and a bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from ultra_recovery.core.objects import AnyObject, Breaker, Key, Kind, Run
from ultra_recovery.ports import Clock
from ultra_recovery.rest.answers import as_json
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import breaker_view, run_view

HEARTBEAT = 10.0
REMEMBERED = 2000
_MOST_STREAMS = 100
_MOST_WAITING = 500
_NAMES = {Kind.BREAKER: "circuit-breaker", Kind.RUN: "run"}

Allowed = Callable[[str], bool]
"""Whether what happens in a namespace is shown."""
Renew = Callable[[], Awaitable[Allowed | None]]
"""Looks again at whoever listens: None when they are not let in any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event."""

    id: str
    name: str
    namespace: str
    data: bytes

    def encode(self) -> bytes:
        """The event as it goes over the wire."""
        # A deletion has no version of its own: without an id the caller's last one stands.
        id_line = b"id: %s\n" % self.id.encode() if self.id else b""
        return b"%sevent: %s\ndata: %s\n\n" % (id_line, self.name.encode(), self.data)


RESYNC = b"event: resync\ndata: {}\n\n"
"""Something may have been missed: read everything again."""


class Listener:
    """One stream's queue. When it cannot keep up, what was in it is lost, and it is told so."""

    def __init__(self) -> None:
        self.waiting: deque[Change] = deque()
        self.lost = False
        self.wake = asyncio.Event()

    def put(self, change: Change) -> None:
        """Take one more event."""
        if len(self.waiting) >= _MOST_WAITING:
            self.waiting.clear()
            self.lost = True
        self.waiting.append(change)
        self.wake.set()


def _drain(listener: Listener, allowed: Allowed) -> list[bytes]:
    parts = [RESYNC] if listener.lost else []
    parts += [change.encode() for change in listener.waiting if allowed(change.namespace)]
    listener.lost = False
    listener.waiting.clear()
    return parts


class Hub:
    """Turns changes of the cache into events, remembers the latest, and passes them on."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._clock = clock
        self._remembered: deque[Change] = deque(maxlen=REMEMBERED)
        self._listeners: set[Listener] = set()
        self._cache = cache
        self._closed = asyncio.Event()
        cache.subscribe(self._changed)

    @property
    def streams(self) -> int:
        """How many streams there are."""
        return len(self._listeners)

    def close(self) -> None:
        """End all streams: the process stops."""
        self._closed.set()
        for listener in self._listeners:
            listener.wake.set()

    def check_room(self) -> None:
        """Refuse one more stream where there are too many.

        Raises:
            Problem: there are too many.
        """
        if len(self._listeners) >= _MOST_STREAMS:
            detail = f"there are {_MOST_STREAMS} streams already: close one, or try again later"
            raise Problem(ProblemType.RATE_LIMITED, detail, headers={"Retry-After": "30"})

    async def stream(self, last_id: str | None, allowed: Allowed, renew: Renew) -> AsyncIterator[bytes]:
        """What goes over one stream, until it is closed, or its caller is not let in any more.

        Args:
            last_id: the last event that the caller has seen; None when they begin.
            allowed: what they may see at first.
            renew: looks again at what they may see; asked at every heartbeat.
        """
        # Not before the stream is read: one that never is would keep its place for ever.
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield b": ultra-recovery\nretry: 2000\n\n"
            for part in self._replay(listener, last_id, allowed):
                yield part
            while not self._closed.is_set():
                if await self._wait(listener):
                    for part in _drain(listener, allowed):
                        yield part
                    continue
                renewed = await renew()
                if renewed is None:
                    return
                allowed = renewed
                yield b": heartbeat\n\n"
        finally:
            self._listeners.discard(listener)

    async def _wait(self, listener: Listener) -> bool:
        """Wait for an event; False when a heartbeat is due before one comes."""
        if listener.waiting:
            return True
        listener.wake.clear()
        try:
            async with asyncio.timeout(HEARTBEAT):
                await listener.wake.wait()
        except TimeoutError:
            return False
        return True

    def _replay(self, listener: Listener, last_id: str | None, allowed: Allowed) -> list[bytes]:
        """What came after the caller's last event; if that is not remembered, nobody knows what they missed."""
        if last_id is None:
            return []
        # What came since this place was taken is remembered, too.
        listener.waiting.clear()
        remembered = list(self._remembered)
        place = next((i for i in range(len(remembered) - 1, -1, -1) if remembered[i].id == last_id), None)
        if place is None:
            return [RESYNC]
        return [change.encode() for change in remembered[place + 1 :] if allowed(change.namespace)]

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        # The first lists tell of what exists, not of what happens.
        if key.kind not in _NAMES or not self._cache.synced.is_set():
            return
        change = self._change(key, item)
        self._remembered.append(change)
        for listener in self._listeners:
            listener.put(change)

    @staticmethod
    def _change(key: Key, item: AnyObject | None) -> Change:
        name = _NAMES[key.kind]
        if isinstance(item, Breaker):
            return Change(item.meta.version, name, key.namespace, as_json(breaker_view(item)))
        if isinstance(item, Run):
            return Change(item.meta.version, name, key.namespace, as_json(run_view(item)))
        data = b'{"namespace":"%s","name":"%s"}' % (key.namespace.encode(), key.name.encode())
        return Change("", f"{name}-deleted", key.namespace, data)
