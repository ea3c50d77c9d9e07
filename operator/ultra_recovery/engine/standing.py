"""Watches where everything stands, on every replica: whoever takes over knows since when something has been down."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from ultra_recovery.core.objects import AnyObject, Breaker, Key, Kind, Policy, Run, Workload
from ultra_recovery.core.standing import (
    BreakerStanding,
    PolicyStanding,
    Standing,
    is_unavailable,
    not_closed_since,
    standing_of_breaker,
    standing_of_policy,
)
from ultra_recovery.engine.queue import WorkQueue
from ultra_recovery.engine.table import Table
from ultra_recovery.ports import Clock


class StandingReader:
    """Reads where everything stands from the table.

    Since when a breaker has not been Closed, and since when a target has no Ready replica, is in no status: a breaker
    that tries and fails begins its state anew. This process remembers what it saw. One that has just started may know
    a later moment than the true one, never an earlier one: an alert may come late, not wrongly.
    """

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._open: dict[Key, datetime] = {}
        self._down: dict[Key, datetime] = {}
        table.subscribe(self._changed)

    def read(self, queues: tuple[WorkQueue, ...] = ()) -> Standing:
        """Where everything stands now."""
        return Standing(self._breakers(), self._policies(), {queue.name: queue.lag for queue in queues})

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        if key.kind is Kind.BREAKER:
            since = not_closed_since(item) if isinstance(item, Breaker) else None
            if since is None:
                self._open.pop(key, None)
            else:
                self._open[key] = min(since, self._open.get(key, since))
        elif key.kind in (Kind.DEPLOYMENT, Kind.STATEFUL_SET):
            if isinstance(item, Workload) and is_unavailable(item):
                self._down.setdefault(key, self._clock.now())
            else:
                self._down.pop(key, None)

    def _breakers(self) -> list[BreakerStanding]:
        found = self._table.select(Kind.BREAKER)
        return [standing_of_breaker(item, self._open.get(item.meta.key)) for item in found if isinstance(item, Breaker)]

    def _policies(self) -> list[PolicyStanding]:
        runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for item in self._table.select(Kind.RUN):
            if isinstance(item, Run) and not item.completed and item.spec is not None:
                runs[item.meta.key.namespace, item.spec.policy_name].append(item)
        found = [item for item in self._table.select(Kind.POLICY) if isinstance(item, Policy)]
        return [
            standing_of_policy(
                item, runs.get((item.meta.key.namespace, item.meta.key.name), ()), self._down_since(item)
            )
            for item in found
        ]

    def _down_since(self, item: Policy) -> datetime | None:
        if item.spec is None:
            return None
        reference = item.spec.target_ref
        return self._down.get(Key(Kind(reference.kind), item.meta.key.namespace, reference.name))
