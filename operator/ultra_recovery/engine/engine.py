"""The engine: keeps the table level with the cluster, and while this process leads cares for everything in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ultra_recovery.apis.meta import GROUP
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import ApiError
from ultra_recovery.core.naming import LEADER_LEASE
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import AnyObject, Key, Kind, Pod, Policy, Run
from ultra_recovery.core.standing import Standing
from ultra_recovery.engine.breakers import Breakers
from ultra_recovery.engine.gather import Gatherer
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.policies import Policies
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.retention import Retention
from ultra_recovery.engine.runs import Runs
from ultra_recovery.engine.standing import StandingReader
from ultra_recovery.engine.table import Table, level
from ultra_recovery.ports import Clock, Objects

log = logging.getLogger(__name__)

RESYNC = 30.0
"""Seconds between lists of every kind: what the watch lost is noticed within this time."""
_EARLY = 3.0
"""Seconds to the second list. kopf begins to watch with a list of its own, a moment after our first one; what is
deleted between the two shows in no event, and would be a ghost for half a minute."""
STALE_AFTER = 90.0
"""Without a whole list for this many seconds the table counts as stale."""
_RETRY = 1.0


class Engine:
    """Owns the table and the three queues."""

    def __init__(
        self,
        table: Table,
        objects: Objects,
        leadership: Leadership,
        gatherer: Gatherer,
        breakers: Breakers,
        policies: Policies,
        runs: Runs,
        retention: Retention,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._table = table
        self._objects = objects
        self._leadership = leadership
        self._gatherer = gatherer
        self._breakers = breakers
        self._policies = policies
        self._runs = runs
        self._retention = retention
        self._recorder = recorder
        self._clock = clock
        self._standing = StandingReader(table, clock)
        self._synced_at = float("-inf")
        self._pod_uids: dict[Key, str] = {}
        self._specs: dict[Key, tuple[str, int]] = {}
        self.synced = asyncio.Event()
        table.subscribe(self._changed)
        breakers.on_change = lambda key: self._wake_namespace(key.namespace)
        policies.on_run = runs.queue.add
        runs.on_change = self._wake_policy_of

    def feed(self, kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
        """Take one event of the watch."""
        self._table.apply(kind, document, deleted=deleted)

    @property
    def stale(self) -> bool:
        """Whether the table may be far from the truth."""
        return self._clock.boottime() - self._synced_at > STALE_AFTER

    def standing(self) -> Standing:
        """Where everything stands; empty while this process does not lead."""
        if self._leadership.term is None:
            return Standing()
        return self._standing.read((self._breakers.queue, self._policies.queue, self._runs.queue))

    async def run(self) -> None:
        """Follow the cluster, and lead whenever this process is the leader. Ends only by an error or cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_level())
            group.create_task(self._leadership.run(self._lead))

    async def _keep_level(self) -> None:
        pause = _EARLY
        while True:
            try:
                await self.resync()
                await self._clock.sleep(pause)
                pause = RESYNC
            except ApiError as error:
                log.warning("could not list", extra={"error": str(error)})
                await self._clock.sleep(_RETRY)

    async def resync(self) -> None:
        """List every kind and make the table level with it."""
        for kind in Kind:
            await level(self._table, self._objects, kind)
        self._synced_at = self._clock.boottime()
        self.synced.set()

    async def _lead(self, term: int) -> None:
        """Everything a leader does, until cancelled. Nothing is remembered from an earlier term."""
        self._breakers.forget()
        self._runs.forget()
        self._gatherer.forget()
        self._tell_leading(term, leads=True)
        try:
            await self._sync_until_done()
            self._runs.recall()
            for kind in (Kind.BREAKER, Kind.POLICY, Kind.RUN):
                for item in self._table.select(kind):
                    self._enqueue(item.meta.key)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._breakers.queue.run())
                group.create_task(self._policies.queue.run())
                group.create_task(self._runs.queue.run())
                group.create_task(self._retention.run())
        finally:
            self._breakers.forget()
            self._tell_leading(term, leads=False)

    async def _sync_until_done(self) -> None:
        """A fresh list before the first decision: what happened while nobody led must be known."""
        while True:
            try:
                await self.resync()
            except ApiError as error:
                log.warning("could not list before leading", extra={"error": str(error)})
                await self._clock.sleep(_RETRY)
            else:
                return

    def _tell_leading(self, term: int, *, leads: bool) -> None:
        reason = Reason.LEADER_ELECTED if leads else Reason.LEADER_LOST
        key = Key(Kind.RUN, "", GROUP)
        message = f"term {term}"
        values = {"leader": 1.0 if leads else 0.0, "term": float(term)}
        self._recorder.tell(
            Notice(
                Topic.LEADERSHIP, key, "", reason, message, event=False, labels={"name": LEADER_LEASE}, values=values
            )
        )

    def _enqueue(self, key: Key) -> None:
        if self._leadership.term is None:
            return
        if key.kind is Kind.BREAKER:
            self._breakers.queue.add(key)
        elif key.kind is Kind.POLICY:
            self._policies.queue.add(key)
        elif key.kind is Kind.RUN:
            self._runs.queue.add(key)

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        """Something in the table changed: look at whatever depends on it."""
        if key.kind in (Kind.BREAKER, Kind.POLICY, Kind.RUN):
            self._enqueue(key)
        if key.kind is Kind.POD:
            self._track_pod(key, item)
        if key.kind is Kind.RUN and isinstance(item, Run):
            self._wake_policy_of(item)
        elif key.kind is Kind.BREAKER:
            if self._is_another_breaker(key, item):
                self._wake_namespace(key.namespace)
        elif key.kind in (Kind.POD, Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.POLICY):
            self._wake_namespace(key.namespace)
        elif key.kind is Kind.NAMESPACE:
            # Its annotation may have paused, or released, everything in it.
            self._wake_namespace(key.name)

    def _is_another_breaker(self, key: Key, item: AnyObject | None) -> bool:
        """Whether a breaker came, went or got another spec. Breakers tell of their state themselves: reports do not."""
        before = self._specs.pop(key, None)
        now = (item.meta.uid, item.meta.generation) if item is not None else None
        if now is not None:
            self._specs[key] = now
        return before != now

    def _track_pod(self, key: Key, item: AnyObject | None) -> None:
        before = self._pod_uids.get(key)
        now = item.meta.uid if isinstance(item, Pod) else None
        if before is not None and before != now:
            self._gatherer.forget_pod(before)
        if now is None:
            self._pod_uids.pop(key, None)
        else:
            self._pod_uids[key] = now

    def _wake_namespace(self, namespace: str) -> None:
        """A breaker, pod, workload or policy changed: the policies and active runs of its namespace look again."""
        for item in self._table.select(Kind.POLICY, namespace):
            if isinstance(item, Policy):
                self._enqueue(item.meta.key)
        for item in self._table.select(Kind.RUN, namespace):
            if isinstance(item, Run) and not item.completed:
                self._enqueue(item.meta.key)

    def _wake_policy_of(self, run: Run) -> None:
        if run.spec is not None:
            self._enqueue(Key(Kind.POLICY, run.meta.key.namespace, run.spec.policy_name))
