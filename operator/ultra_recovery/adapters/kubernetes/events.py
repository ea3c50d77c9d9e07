"""A sink that posts Events, so that `kubectl describe` tells what happened to an object."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ultra_recovery.adapters.kubernetes.connection import MERGE_PATCH, Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.core.errors import AlreadyExists, ApiError, NotFound, NotLeader
from ultra_recovery.core.notices import Notice
from ultra_recovery.ports import Clock

log = logging.getLogger(__name__)

WINDOW = 60.0
"""Seconds between two writes of one series."""
LIMIT = 1000
"""Series that wait to be written."""
REMEMBERED = 5000
"""Series that are remembered after a write, so that the next notice becomes a count and not another Event."""
KEPT = 3600.0
"""Seconds for which a series is remembered: API servers keep an Event for an hour after its last write by default."""
_MESSAGE_BYTES = 1024
_COMPONENT = "ultra-recovery"


@dataclass(slots=True)
class _Series:
    """All notices of one reason on one object: one Event with a count."""

    name: str
    first_at: datetime
    last_at: datetime
    count: int = 0
    due: float = 0.0
    stored: bool = False


class EventSink:
    """Posts notices as Events, in the background, at most one write per object and reason in a minute.

    More of the same are counted, and written with the latest message when the minute is over. What waits is bounded
    by `LIMIT`; what exceeds it, and what the server refuses, is dropped, and so is what
    waits when this process leads no more: Events are a courtesy, the record is in the status of the objects.

    Args:
        connection: the API server.
        clock: the time.
        on_drop: called for every Event that is dropped.
    """

    def __init__(self, connection: Connection, clock: Clock, on_drop: Callable[[], None]) -> None:
        self._connection = connection
        self._clock = clock
        self._on_drop = on_drop
        self._waiting: dict[tuple[str, str], tuple[_Series, Notice]] = {}
        self._written: OrderedDict[tuple[str, str], _Series] = OrderedDict()
        self._wake = asyncio.Event()

    def publish(self, notice: Notice) -> None:
        """Take a notice, unless it is no Event; never blocks and never raises."""
        if not notice.event or not notice.uid:
            return
        identity = (notice.uid, str(notice.reason))
        now = self._clock.now()
        known = self._waiting.get(identity)
        if known is not None:
            series = known[0]
        elif len(self._waiting) >= LIMIT:
            self._on_drop()
            return
        else:
            if identity in self._written:
                series = self._written.pop(identity)
            else:
                series = _Series(_event_name(notice, now), now, now)
            self._wake.set()
        series.count += 1
        series.last_at = now
        self._waiting[identity] = (series, notice)

    async def run(self) -> None:
        """Write what is due, for ever."""
        while True:
            self._wake.clear()
            for identity in self._due():
                series, notice = self._waiting.pop(identity)
                series.due = self._clock.boottime() + WINDOW
                self._remember(identity, series)
                await self._write(series, notice)
            await self._rest()

    def _due(self) -> list[tuple[str, str]]:
        now = self._clock.boottime()
        return [identity for identity, (series, _) in self._waiting.items() if series.due <= now]

    def _remember(self, identity: tuple[str, str], series: _Series) -> None:
        self._written[identity] = series
        gone = series.due - KEPT
        while len(self._written) > REMEMBERED or next(iter(self._written.values())).due < gone:
            self._written.popitem(last=False)

    async def _rest(self) -> None:
        """Wait until a series becomes due or a new one arrives."""
        dues = [series.due for series, _ in self._waiting.values()]
        within = max(0.0, min(dues) - self._clock.boottime()) if dues else None
        try:
            async with asyncio.timeout(within):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _write(self, series: _Series, notice: Notice) -> None:
        try:
            if not (series.stored and await self._update(series, notice)):
                await self._create(series, notice)
            series.stored = True
        except (ApiError, NotLeader) as error:
            self._on_drop()
            log.warning("an Event was dropped", extra={"object": str(notice.key), "error": str(error)})

    async def _create(self, series: _Series, notice: Notice) -> None:
        body = event_document(notice, series.name, series.count, series.first_at, series.last_at)
        try:
            await self._connection.request("POST", path("v1", "events", notice.key.namespace), body=body)
        except AlreadyExists:
            # The answer to an earlier attempt was lost.
            await self._update(series, notice)

    async def _update(self, series: _Series, notice: Notice) -> bool:
        """Write the new count; False when the Event is gone, as the server forgets them after an hour."""
        body = {
            "count": series.count,
            "lastTimestamp": _timestamp(series.last_at),
            "message": shorten(notice.message),
            "type": _type(notice),
        }
        target = path("v1", "events", notice.key.namespace, series.name)
        try:
            await self._connection.request("PATCH", target, body=body, content_type=MERGE_PATCH)
        except NotFound:
            return False
        return True


def event_document(notice: Notice, name: str, count: int, first: datetime, last: datetime) -> dict[str, Any]:
    """The Event for a notice."""
    key = notice.key
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": key.kind.api_version,
            "kind": str(key.kind),
            "namespace": key.namespace,
            "name": key.name,
            "uid": notice.uid,
        },
        "reason": str(notice.reason),
        "message": shorten(notice.message),
        "type": _type(notice),
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "firstTimestamp": _timestamp(first),
        "lastTimestamp": _timestamp(last),
        "count": count,
    }


def shorten(message: str) -> str:
    """A message of at most 1 KiB, never cut within a character."""
    data = message.encode()
    if len(data) <= _MESSAGE_BYTES:
        return message
    return data[: _MESSAGE_BYTES - len("…".encode())].decode(errors="ignore") + "…"


def _event_name(notice: Notice, now: datetime) -> str:
    text = f"{notice.uid}/{notice.reason}/{now.isoformat()}"
    return f"{notice.key.name[:230].rstrip('.-')}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _type(notice: Notice) -> str:
    return "Warning" if notice.warning else "Normal"


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
