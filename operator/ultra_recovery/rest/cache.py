"""One cache per kind, level with the cluster by a watch and lists, so that reads cost the API server nothing."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.errors import ApiError
from ultra_recovery.core.objects import AnyObject, Breaker, Key, Kind, Policy, Run, Workload
from ultra_recovery.engine.table import Listener, Table, level
from ultra_recovery.ports import Clock, Objects

log = logging.getLogger(__name__)

KINDS = (Kind.BREAKER, Kind.POLICY, Kind.RUN, Kind.DEPLOYMENT, Kind.STATEFUL_SET)
"""What the API reads."""
_OURS = frozenset({Kind.BREAKER, Kind.POLICY, Kind.RUN})
BEAT = 10.0
"""Seconds between lists of the breakers, which also show that the API server is there."""
BEATS_PER_RESYNC = 6
"""Every so often all kinds are listed: what the watch lost is noticed."""
STALE_AFTER = 25.0
_RETRY = 2.0

Order = tuple[float, str, str]


def order_of(item: AnyObject) -> Order:
    """The place of an object among those of its kind."""
    created, key = item.meta.created_at, item.meta.key
    newest_first = -created.timestamp() if isinstance(item, Run) and created is not None else 0.0
    return (newest_first, key.namespace, key.name)


class Index:
    """The keys of a kind in a stable order: breakers by name, runs from the newest on."""

    def __init__(self) -> None:
        self._sorted: list[Order] = []
        self._order: dict[Key, Order] = {}

    def __len__(self) -> int:
        return len(self._sorted)

    def put(self, key: Key, item: AnyObject) -> None:
        """Add a key, unless it is there already in the same place."""
        order = order_of(item)
        if self._order.get(key) != order:
            self.remove(key)
            self._order[key] = order
            insort(self._sorted, order)

    def remove(self, key: Key) -> None:
        """Remove a key, if it is there."""
        order = self._order.pop(key, None)
        if order is not None:
            del self._sorted[bisect_left(self._sorted, order)]

    def after(self, order: Order | None) -> Sequence[Order]:
        """All places behind one, which need not exist any more."""
        return self._sorted[bisect_right(self._sorted, order) :] if order is not None else self._sorted


class Cache:
    """The table of what the API shows, and how far it can be trusted.

    Attributes:
        table: all objects.
        synced: set when everything was listed once.
        changes: counts changes, so that what was computed from the table can be kept.
        active: the keys of runs that are not completed.
        phases: (namespace, phase) → number of runs.
    """

    def __init__(self, objects: Objects, clock: Clock, kinds: Sequence[Kind] = KINDS) -> None:
        self.table = Table()
        self.synced = asyncio.Event()
        self.changes = 0
        self.active: set[Key] = set()
        self.phases: Counter[tuple[str, str]] = Counter()
        self._objects, self._clock, self._kinds = objects, clock, tuple(kinds)
        self._indexes = {kind: Index() for kind in kinds}
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._phase_of: dict[Key, str] = {}
        self._heard_at = float("-inf")
        self._failed = True
        self.table.subscribe(self._changed)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(key, object or None)` after every change."""
        self.table.subscribe(listener)

    def feed(self, kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
        """Take one event of the watch, or our own write."""
        if kind in self._indexes:
            self.table.apply(kind, document, deleted=deleted)

    @property
    def stale(self) -> bool:
        """Whether the API server is away, or has not been heard of for too long."""
        return self._failed or self.age > STALE_AFTER

    @property
    def age(self) -> float:
        """Seconds since the API server last answered a list; infinite before the first time."""
        return self._clock.boottime() - self._heard_at

    @property
    def namespaces(self) -> frozenset[str]:
        """All namespaces with an object of ours in them."""
        return frozenset(namespace for (kind, namespace), count in self._counts.items() if count and kind in _OURS)

    def count(self, kind: Kind, namespaces: Collection[str]) -> int:
        """How many objects of a kind these namespaces hold."""
        return sum(self._counts[kind, namespace] for namespace in namespaces)

    def breakers(self) -> list[Breaker]:
        """All breakers."""
        return [item for item in self.table.select(Kind.BREAKER) if isinstance(item, Breaker)]

    def policies(self) -> list[Policy]:
        """All policies."""
        return [item for item in self.table.select(Kind.POLICY) if isinstance(item, Policy)]

    def runs(self, namespace: str | None = None) -> list[Run]:
        """All runs, or those of a namespace."""
        return [item for item in self.table.select(Kind.RUN, namespace) if isinstance(item, Run)]

    def target_of(self, policy: Policy) -> Workload | None:
        """The workload that a policy is about, or None."""
        if policy.spec is None:
            return None
        reference = policy.spec.target_ref
        item = self.table.get(Key(Kind(reference.kind), policy.meta.key.namespace, reference.name))
        return item if isinstance(item, Workload) else None

    def ordered(self, kind: Kind, namespaces: Collection[str], after: Order | None = None) -> Iterator[AnyObject]:
        """The objects of a kind in these namespaces, in order, from behind a place on."""
        for _, namespace, name in self._indexes[kind].after(after):
            if namespace in namespaces:
                item = self.table.get(Key(kind, namespace, name))
                if item is not None:
                    yield item

    async def run(self) -> None:
        """Stay level with the cluster; ends only by cancellation."""
        beat = 0
        while True:
            try:
                await self.resync(self._kinds if beat % BEATS_PER_RESYNC == 0 else (Kind.BREAKER,))
            except ApiError as error:
                log.warning("could not list", extra={"error": str(error)})
                self._failed = True
                # Nobody knows what was missed meanwhile.
                beat = 0
                await self._clock.sleep(_RETRY)
            else:
                beat += 1
                await self._clock.sleep(BEAT)

    async def resync(self, kinds: Sequence[Kind] | None = None) -> None:
        """List kinds, all by default, and make the table level with them.

        Raises:
            ApiError: a list failed.
        """
        for kind in kinds or self._kinds:
            await level(self.table, self._objects, kind)
            self._heard_at = self._clock.boottime()
        self._failed = False
        self.synced.set()

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        self.changes += 1
        index = self._indexes[key.kind]
        before = len(index)
        if item is None:
            index.remove(key)
        else:
            index.put(key, item)
        self._counts[key.kind, key.namespace] += len(index) - before
        if key.kind is Kind.RUN:
            self._count_run(key, item if isinstance(item, Run) else None)

    def _count_run(self, key: Key, run: Run | None) -> None:
        before = self._phase_of.pop(key, None)
        if before is not None:
            self.phases[key.namespace, before] -= 1
        self.active.discard(key)
        if run is None:
            return
        phase = run.status.phase or RunPhase.PENDING
        self._phase_of[key] = phase
        self.phases[key.namespace, phase] += 1
        if not run.completed:
            self.active.add(key)
