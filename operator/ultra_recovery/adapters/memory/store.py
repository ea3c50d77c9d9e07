"""The documents of a pretended API server, their versions, and the watch on them."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ultra_recovery.core.errors import AlreadyExists, NotFound
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.ports import Clock, LeaseRecord

Callback = Callable[[Kind, Mapping[str, Any], bool], None]


def timestamp(moment: datetime) -> str:
    """A time as Kubernetes writes it into metadata and conditions: whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class MemoryStore:
    """Raw documents by key. One resourceVersion counts for all of them, as in etcd.

    Attributes:
        watch_delay: seconds between a change and its event; None drops events: a watch that went silent.
        budgets: namespaces whose pods a disruption budget protects now, with the Retry-After it sends.
        cron_jobs: CronJobs by namespace and name; tests put them here.
        jobs: Jobs by namespace and name.
        job_controllers: told of every new Job.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.documents: dict[Key, dict[str, Any]] = {}
        self.leases: dict[tuple[str, str], LeaseRecord] = {}
        self.watch_delay: float | None = 0.0
        self.budgets: dict[str, float | None] = {}
        self.cron_jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.job_controllers: list[Callable[[Mapping[str, Any]], None]] = []
        self._version = 1000
        self._uids = 0
        self._subscribers: list[Callback] = []
        self._controllers: list[Callback] = []
        self._events: deque[tuple[Kind, dict[str, Any], bool]] = deque()

    def subscribe(self, callback: Callback) -> None:
        """Tell `callback(kind, document, deleted)` of all objects that exist, and of every change from now on."""
        self._subscribers.append(callback)
        for key, document in list(self.documents.items()):
            callback(key.kind, copy.deepcopy(document), False)

    def control(self, callback: Callback) -> None:
        """Tell a controller of every change at once: the cluster's own controllers do not depend on our watch."""
        self._controllers.append(callback)

    @property
    def version(self) -> str:
        """The newest resourceVersion."""
        return str(self._version)

    def next_version(self) -> str:
        """A resourceVersion that is newer than all others."""
        self._version += 1
        return str(self._version)

    def next_uid(self) -> str:
        """A UID that no object has had."""
        self._uids += 1
        return f"00000000-0000-4000-8000-{self._uids:012d}"

    def find(self, key: Key) -> dict[str, Any]:
        """The stored document itself.

        Raises:
            NotFound: it does not exist.
        """
        document = self.documents.get(key)
        if document is None:
            raise NotFound(f"{key} not found")
        return document

    def add(self, kind: Kind, document: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new document; metadata that a server assigns is assigned.

        Raises:
            AlreadyExists: an object of this kind and name exists.
        """
        fresh = copy.deepcopy(dict(document))
        meta = fresh.setdefault("metadata", {})
        if kind.namespaced:
            meta.setdefault("namespace", "default")
        key = Key(kind, meta.get("namespace", ""), meta["name"])
        if key in self.documents:
            raise AlreadyExists(f"{key} already exists")
        fresh.setdefault("apiVersion", kind.api_version)
        fresh.setdefault("kind", kind.value)
        meta.setdefault("uid", self.next_uid())
        meta.setdefault("creationTimestamp", timestamp(self.clock.now()))
        meta.setdefault("generation", 1)
        meta["resourceVersion"] = self.next_version()
        self.documents[key] = fresh
        self._tell(kind, fresh, deleted=False)
        return copy.deepcopy(fresh)

    def change(self, key: Key, mutate: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Change a document in place; a changed spec gets a new generation, an unchanged document nothing.

        Raises:
            NotFound: it does not exist.
        """
        before = self.find(key)
        after = copy.deepcopy(before)
        mutate(after)
        if after != before:
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] = before["metadata"]["generation"] + 1
            after["metadata"]["resourceVersion"] = self.next_version()
            self.documents[key] = after
            self._tell(key.kind, after, deleted=False)
        return copy.deepcopy(after)

    def remove(self, key: Key) -> None:
        """Delete a document at once.

        Raises:
            NotFound: it does not exist.
        """
        document = self.find(key)
        del self.documents[key]
        document["metadata"]["resourceVersion"] = self.next_version()
        self._tell(key.kind, document, deleted=True)

    def _tell(self, kind: Kind, document: dict[str, Any], *, deleted: bool) -> None:
        # The event is queued before controllers react, so that subscribers see cause before consequence.
        self._send(kind, document, deleted=deleted)
        for callback in self._controllers:
            callback(kind, copy.deepcopy(document), deleted)

    def _send(self, kind: Kind, document: dict[str, Any], *, deleted: bool) -> None:
        if self.watch_delay is None:
            return
        self._events.append((kind, copy.deepcopy(document), deleted))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._deliver()
            return
        # Each timer delivers the oldest event, so that their order holds even when timers tie.
        loop.call_later(self.watch_delay, self._deliver)

    def _deliver(self) -> None:
        kind, document, deleted = self._events.popleft()
        for callback in self._subscribers:
            callback(kind, copy.deepcopy(document), deleted)
