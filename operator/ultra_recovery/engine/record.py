"""Writing statuses and telling what happened: persist first, tell after."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ultra_recovery.apis.meta import ApiType
from ultra_recovery.core.notices import Notice
from ultra_recovery.core.objects import Breaker, Policy, Run, encode_status
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.table import Table
from ultra_recovery.ports import Objects, Sink


class Recorder:
    """The one way to write a status. Every write passes the leader's fence and carries the version that was read."""

    def __init__(self, objects: Objects, table: Table, leadership: Leadership, sinks: Sequence[Sink]) -> None:
        self._objects = objects
        self._table = table
        self._leadership = leadership
        self._sinks = sinks

    @staticmethod
    def differs(item: Breaker | Policy | Run, status: ApiType) -> bool:
        """Whether the status is not what is stored."""
        return encode_status(status.to_wire()) != item.raw_status

    async def write(self, item: Breaker | Policy | Run, status: ApiType) -> Breaker | Policy | Run:
        """Write a status and put the object, as stored, into the table.

        Raises:
            NotLeader: this process may not act now.
            Conflict: the object changed since it was read: look again.
        """
        self._leadership.check()
        key = item.meta.key
        document = await self._objects.write_status(
            key, status.to_wire(), json.loads(item.raw_status), item.meta.version
        )
        self._table.apply(key.kind, document)
        stored = self._table.get(key)
        return stored if isinstance(stored, Breaker | Policy | Run) else item

    def tell(self, notice: Notice) -> None:
        """Tell all sinks."""
        for sink in self._sinks:
            sink.publish(notice)
