"""The port Messenger: posts notifications as CloudEvents, in the background, with retries.

    taken ──▶ Waiting ──2xx──▶ Delivered
                │  ▲
      may pass  ▼  │ backoff           for good, 10 tries or 10 minutes ──▶ Failed

Each endpoint has at most one message under way, so one that hangs delays no other and is not flooded when it returns.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ultra_recovery.apis.meta import API_VERSION, GROUP, format_time
from ultra_recovery.core.call import Call, CallOutcome, Delivery, Message
from ultra_recovery.core.errors import NotLeader
from ultra_recovery.ports import Caller, Clock, Random

log = logging.getLogger(__name__)

LIMIT = 1000
"""Messages that wait."""
REMEMBERED = 5000
"""Messages whose end is remembered, so that none is delivered twice."""
MAX_BODY = 64 * 1024
"""Bytes of a document."""
WITHIN = 10.0
"""Seconds for one try."""
TRIES = 10
GIVE_UP_AFTER = 600.0
"""Seconds from taking a message; no try begins later."""
FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
JITTER = 0.2
"""Part of a delay that chance adds to it at most."""
_HEADERS = {"Content-Type": "application/cloudevents+json; charset=utf-8"}

_Lane = tuple[str, str]
"""Who receives a message: a namespace and an endpoint of it."""


@dataclass(slots=True)
class _Waiting:
    """A message that is not delivered; moments are on the clock's boottime."""

    message: Message
    lane: _Lane
    body: bytes
    taken_at: float
    due: float
    tries: int = 0


class WebhookMessenger:
    """Delivers messages to webhooks, at least once; what waits is lost with the process, or when it leads no more.

    Args:
        caller: makes the requests.
        clock: the time.
        random: the jitter.
        on_drop: called for every message that is not taken.
        on_end: called with the outcome of every message that was taken.
    """

    def __init__(
        self,
        caller: Caller,
        clock: Clock,
        random: Random,
        on_drop: Callable[[], None],
        on_end: Callable[[Delivery], None],
    ) -> None:
        self._caller = caller
        self._clock = clock
        self._random = random
        self._on_drop = on_drop
        self._on_end = on_end
        self._waiting: dict[str, _Waiting] = {}
        self._ended: OrderedDict[str, Delivery] = OrderedDict()
        self._busy: set[_Lane] = set()
        self._wake = asyncio.Event()

    def send(self, message: Message) -> bool:
        """Take a message; one that failed may be sent again, under the same key."""
        if message.key in self._waiting or self._ended.get(message.key) is Delivery.DELIVERED:
            return True
        body = _document(message, format_time(self._clock.now()))
        if len(self._waiting) >= LIMIT or len(body) > MAX_BODY:
            self._on_drop()
            log.warning("a notification was dropped", extra={"key": message.key, "namespace": message.namespace})
            return False
        self._ended.pop(message.key, None)
        now = self._clock.boottime()
        lane = (message.namespace, message.endpoint.model_dump_json())
        self._waiting[message.key] = _Waiting(message, lane, body, now, now)
        self._wake.set()
        return True

    def delivery(self, key: str) -> Delivery | None:
        """Where a message stands."""
        return Delivery.WAITING if key in self._waiting else self._ended.get(key)

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                for item in self._due():
                    self._busy.add(item.lane)
                    group.create_task(self._try(item))
                await self._rest()

    def _due(self) -> list[_Waiting]:
        """Of each endpoint that has no message under way the one that is due for longest; what is too old fails."""
        now = self._clock.boottime()
        found: dict[_Lane, _Waiting] = {}
        for item in list(self._waiting.values()):
            if item.lane in self._busy or item.due > now:
                continue
            if now - item.taken_at > GIVE_UP_AFTER:
                self._fail(item, "its time is over")
            elif item.lane not in found or item.due < found[item.lane].due:
                found[item.lane] = item
        return list(found.values())

    async def _rest(self) -> None:
        """Wait until a message becomes due, a new one arrives or one under way ends."""
        dues = [item.due for item in self._waiting.values() if item.lane not in self._busy]
        within = max(0.0, min(dues) - self._clock.boottime()) if dues else None
        try:
            async with asyncio.timeout(within):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _try(self, item: _Waiting) -> None:
        message = item.message
        item.tries += 1
        delivered, again, why = False, True, "an error of our own"
        try:
            call = Call(message.endpoint, "POST", item.body, WITHIN, _HEADERS)
            result = await self._caller.call(message.namespace, call)
            delivered, again, why = result.outcome is CallOutcome.DONE, result.retry, result.message
        except NotLeader:
            # Who leads sends it, as nothing says that it was sent.
            self._waiting.pop(message.key, None)
            return
        except Exception:
            # No fault in one message may end the delivery of all others.
            log.exception("a notification could not be tried")
        finally:
            self._busy.discard(item.lane)
            self._wake.set()
        if delivered:
            self._end(item, Delivery.DELIVERED)
        elif not again or not self._put_off(item):
            self._fail(item, why)

    def _put_off(self, item: _Waiting) -> bool:
        """Set the time of the next try; False when there is none."""
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (item.tries - 1)) * (1 + JITTER * self._random.random())
        item.due = self._clock.boottime() + delay
        return item.tries < TRIES and item.due - item.taken_at <= GIVE_UP_AFTER

    def _fail(self, item: _Waiting, why: str) -> None:
        log.warning("a notification failed", extra={"key": item.message.key, "tries": item.tries, "error": why})
        self._end(item, Delivery.FAILED)

    def _end(self, item: _Waiting, delivery: Delivery) -> None:
        key = item.message.key
        self._waiting.pop(key, None)
        self._ended[key] = delivery
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._on_end(delivery)


def _document(message: Message, time: str) -> bytes:
    """The CloudEvents document, in structured mode. What JSON does not know is written as text."""
    document = {
        "specversion": "1.0",
        "id": message.key,
        "source": f"/apis/{API_VERSION}/namespaces/{message.namespace}",
        "type": f"{GROUP}.{message.topic}",
        "subject": message.subject,
        "time": time,
        "datacontenttype": "application/json",
        "data": message.data,
    }
    return json.dumps(document, default=str).encode()
