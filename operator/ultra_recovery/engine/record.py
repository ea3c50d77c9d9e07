"""Writing statuses and telling what happened: persist first, tell after."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus
from ultra_recovery.apis.meta import ApiType
from ultra_recovery.core.errors import ApiError
from ultra_recovery.core.notices import Notice
from ultra_recovery.core.objects import Breaker, Kind, Policy, Run, encode_status
from ultra_recovery.core.parsing import parse
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.write_gate import WriteGate
from ultra_recovery.ports import Objects, Sink


class Recorder:
    """The one way to write a status. Every write passes the leader's fence and carries the version that was read."""

    def __init__(self, objects: Objects, table: Table, leadership: Leadership, sinks: Sequence[Sink]) -> None:
        self._objects = objects
        self._table = table
        self._leadership = leadership
        self._sinks = sinks
        self._gates: defaultdict[Kind, WriteGate] = defaultdict(WriteGate)

    @staticmethod
    def differs(item: Breaker | Policy | Run, status: ApiType) -> bool:
        """Whether the status is not what is stored."""
        return encode_status(_wire(item, status)) != item.raw_status

    def check(self) -> None:
        """Pass the leader's fence without a write, as before a probe.

        Raises:
            NotLeader: this process may not act now.
        """
        self._leadership.check()

    async def write(self, item: Breaker | Policy | Run, status: ApiType) -> Breaker | Policy | Run:
        """Write a status and put the object, as stored, into the table.

        Raises:
            NotLeader: this process may not act now.
            Conflict: the object changed since it was read: look again.
        """
        key = item.meta.key
        async with self._gates[key.kind].place(pressing=_presses(item, status)):
            self._leadership.check()
            document = await self._objects.write_status(
                key, _wire(item, status), json.loads(item.raw_status), item.meta.version
            )
        self._table.apply(key.kind, document)
        stored = self._table.get(key)
        return stored if isinstance(stored, Breaker | Policy | Run) else item

    async def reread(self, item: Breaker) -> Breaker | None:
        """The breaker as the server has it now, also put into the table; None when it is gone or cannot be read now."""
        key = item.meta.key
        try:
            document = await self._objects.read_object(key)
        except ApiError:
            return None
        self._table.apply(key.kind, document)
        fresh = parse(key.kind, document)
        return fresh if isinstance(fresh, Breaker) else None

    def tell(self, notice: Notice) -> None:
        """Tell all sinks."""
        for sink in self._sinks:
            sink.publish(notice)


def _presses(item: Breaker | Policy | Run, status: ApiType) -> bool:
    """Whether somebody waits for this write: all but the counters, messages and first statuses of breakers."""
    if not isinstance(item, Breaker) or not isinstance(status, CircuitBreakerStatus):
        return True
    return item.status.state is not None and item.status.state != status.state


def _wire(item: Breaker | Policy | Run, status: ApiType) -> dict[str, Any]:
    """The status as it is written. What others wrote into a breaker's stays as they wrote it, to the letter."""
    wire = status.to_wire()
    if isinstance(item, Breaker) and isinstance(status, CircuitBreakerStatus):
        stored = json.loads(item.raw_status) if "reporters" in item.raw_status or "trial" in item.raw_status else {}
        wire.pop("reporters", None)
        for name in ("reporters", *(("trial",) if status.trial is not None else ())):
            if name in stored:
                wire[name] = stored[name]
    return wire
