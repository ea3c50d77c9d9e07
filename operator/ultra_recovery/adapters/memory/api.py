"""The ports Objects, Cluster, Leases, Jobs and View over a store in memory: one instance is one client of it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ultra_recovery.adapters.memory.faults import CrashError, Faults, Request
from ultra_recovery.adapters.memory.intents import annotate
from ultra_recovery.adapters.memory.jobs import store_job
from ultra_recovery.adapters.memory.reporters import apply_reporter
from ultra_recovery.adapters.memory.store import MemoryStore, timestamp
from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus
from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import RecoveryRunStatus
from ultra_recovery.core.errors import AlreadyExists, ApiError, Conflict, NotFound, Rejected, TooManyRequests
from ultra_recovery.core.merge import apply_merge_patch, merge_patch
from ultra_recovery.core.objects import AnyObject, EndpointSlice, Key, Kind
from ultra_recovery.core.parsing import parse
from ultra_recovery.ports import Clock, Knows, LeaseRecord, Take

_STATUS_TYPES: dict[Kind, type[BaseModel]] = {
    Kind.BREAKER: CircuitBreakerStatus,
    Kind.POLICY: RecoveryPolicyStatus,
    Kind.RUN: RecoveryRunStatus,
}
_T = TypeVar("_T")


class MemoryApi:
    """One client of a pretended API server.

    Attributes:
        store: what the server holds; shared by all clients that were made with it.
        faults: switches for outages, lost answers and crashes of this client.
        requests: everything this client asked for, in order.
        latency: seconds that each request takes before the server sees it.
    """

    def __init__(self, clock: Clock, store: MemoryStore | None = None) -> None:
        self.store = store if store is not None else MemoryStore(clock)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.latency = 0.0
        self._clock = clock

    # View

    def get(self, key: Key) -> AnyObject | None:
        """The object as it is now, without any delay of a watch."""
        document = self.store.documents.get(key)
        return parse(key.kind, document) if document is not None else None

    def select(self, kind: Kind, namespace: str | None = None) -> Sequence[AnyObject]:
        """All objects of a kind, of one namespace or of all."""
        return [
            parse(kind, document)
            for key, document in sorted(self.store.documents.items())
            if key.kind is kind and namespace in (None, key.namespace)
        ]

    def slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        """The EndpointSlices of a Service."""
        found = self.select(Kind.ENDPOINT_SLICE, namespace)
        return [item for item in found if isinstance(item, EndpointSlice) and item.service == service]

    # Objects

    async def list(self, kind: Kind, take: Take, knows: Knows) -> str:
        """Pass on copies of all documents of a kind that are not known; the store's version."""

        def handle() -> tuple[str, Sequence[Mapping[str, Any]]]:
            found = [copy.deepcopy(item) for key, item in sorted(self.store.documents.items()) if key.kind is kind]
            return self.store.version, found

        version, documents = await self._request("list", kind, "", "", handle, mutating=False)
        for document in documents:
            meta = document["metadata"]
            if not knows(meta.get("namespace", ""), meta["name"], meta["resourceVersion"]):
                take(document)
        return version

    async def list_now(self, kind: Kind, namespace: str, take: Take) -> str:
        """Pass on copies of all documents of a kind in a namespace; the store's version."""

        def handle() -> tuple[str, Sequence[Mapping[str, Any]]]:
            found = [
                copy.deepcopy(item)
                for key, item in sorted(self.store.documents.items())
                if key.kind is kind and key.namespace == namespace
            ]
            return self.store.version, found

        version, documents = await self._request("list", kind, namespace, "", handle, mutating=False)
        for document in documents:
            take(document)
        return version

    async def read_object(self, key: Key) -> Mapping[str, Any]:
        """A copy of one document."""
        handle = functools.partial(self._copy, key)
        return await self._request("get", key.kind, key.namespace, key.name, handle, mutating=False)

    def _copy(self, key: Key) -> Mapping[str, Any]:
        return copy.deepcopy(self.store.find(key))

    async def create_run(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Store a run. As a server does, it drops the status and refuses a spec that does not fit."""

        def handle() -> Mapping[str, Any]:
            _validate(RecoveryRunSpec, document.get("spec"))
            fresh = {name: value for name, value in document.items() if name != "status"}
            fresh["metadata"] = {**document["metadata"], "namespace": namespace}
            return self.store.add(Kind.RUN, fresh)

        return await self._request("create", Kind.RUN, namespace, document["metadata"]["name"], handle)

    async def delete_run(self, namespace: str, name: str, uid: str) -> None:
        """Delete a run at once, if it has this UID."""
        key = Key(Kind.RUN, namespace, name)

        def handle() -> None:
            found = self.store.find(key)["metadata"]["uid"]
            if found != uid:
                raise Conflict(f"{key}: UID in precondition: {uid}, UID in object meta: {found}")
            self.store.remove(key)

        await self._request("delete", Kind.RUN, namespace, name, handle)

    async def write_status(
        self, key: Key, status: Mapping[str, Any], previous: Mapping[str, Any], version: str
    ) -> Mapping[str, Any]:
        """Apply the difference of two statuses if the object is still at `version`."""

        def handle() -> Mapping[str, Any]:
            stored = self.store.find(key)
            if stored["metadata"]["resourceVersion"] != version:
                raise Conflict(f"{key}: the object has been modified")
            result = apply_merge_patch(stored.get("status") or {}, merge_patch(previous, status))
            _validate(_STATUS_TYPES[key.kind], result)
            if "status" not in stored and not result:
                return copy.deepcopy(stored)
            return self.store.change(key, lambda item: item.__setitem__("status", copy.deepcopy(result)))

        return await self._request("status", key.kind, key.namespace, key.name, handle)

    async def apply_reporter(self, key: Key, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """Apply the entry of one reporter to the status of a breaker, as its own field manager does."""

        def handle() -> Mapping[str, Any]:
            return apply_reporter(self.store, key, entry)

        return await self._request("apply", key.kind, key.namespace, key.name, handle)

    # Cluster

    async def evict(self, key: Key, uid: str) -> None:
        """Mark a pod as terminating; a Workloads controller of the same store then does what a cluster does."""

        def handle() -> None:
            pod = self.store.find(key)
            meta = pod["metadata"]
            ignores_budget = meta.get("deletionTimestamp") or (pod.get("status") or {}).get("phase") == "Pending"
            if key.namespace in self.store.budgets and not ignores_budget:
                raise TooManyRequests(
                    "Cannot evict pod as it would violate the pod's disruption budget.",
                    retry_after=self.store.budgets[key.namespace],
                    budget=True,
                )
            if meta["uid"] != uid:
                raise Conflict(f"{key}: UID in precondition: {uid}, UID in object meta: {meta['uid']}")
            now = timestamp(self._clock.now())
            self.store.change(key, lambda item: item["metadata"].setdefault("deletionTimestamp", now))

        await self._request("evict", key.kind, key.namespace, key.name, handle)

    # Leases

    async def read(self, namespace: str, name: str) -> LeaseRecord | None:
        """The Lease, or None."""
        return await self._request(
            "get", "Lease", namespace, name, lambda: self.store.leases.get((namespace, name)), mutating=False
        )

    async def create(self, lease: LeaseRecord) -> LeaseRecord:
        """Store a Lease that does not exist."""

        def handle() -> LeaseRecord:
            if (lease.namespace, lease.name) in self.store.leases:
                raise AlreadyExists(f"Lease {lease.namespace}/{lease.name} already exists")
            return self._put(replace(lease, uid=self.store.next_uid()))

        return await self._request("create", "Lease", lease.namespace, lease.name, handle)

    async def replace(self, lease: LeaseRecord) -> LeaseRecord:
        """Store a Lease over the version that was read."""

        def handle() -> LeaseRecord:
            if not lease.version:
                raise Rejected("metadata.resourceVersion: must be specified for an update")
            stored = self._at_version(lease)
            return stored if stored == lease else self._put(lease)

        return await self._request("update", "Lease", lease.namespace, lease.name, handle)

    async def delete(self, lease: LeaseRecord) -> None:
        """Delete a Lease if it is at the version that was read."""

        def handle() -> None:
            self._at_version(lease)
            del self.store.leases[lease.namespace, lease.name]
            self.store.next_version()

        await self._request("delete", "Lease", lease.namespace, lease.name, handle)

    # Jobs

    async def read_cron_job(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The CronJob, or None."""
        found = self.store.cron_jobs
        return await self._request(
            "get", "CronJob", namespace, name, lambda: copy.deepcopy(found.get((namespace, name))), mutating=False
        )

    async def read_job(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The Job, or None."""
        found = self.store.jobs
        return await self._request(
            "get", "Job", namespace, name, lambda: copy.deepcopy(found.get((namespace, name))), mutating=False
        )

    async def create_job(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Store a Job that does not exist; a JobController of the same store then runs it."""
        name = document["metadata"]["name"]
        return await self._request("create", "Job", namespace, name, lambda: store_job(self.store, namespace, document))

    # Intents

    async def annotate(self, key: Key, annotations: Mapping[str, str], version: str = "") -> Mapping[str, Any]:
        """Set annotations."""
        return await self._request(
            "annotate", key.kind, key.namespace, key.name, lambda: annotate(self.store, key, annotations, version)
        )

    def _at_version(self, lease: LeaseRecord) -> LeaseRecord:
        stored = self.store.leases.get((lease.namespace, lease.name))
        if stored is None:
            raise NotFound(f"Lease {lease.namespace}/{lease.name} not found")
        if stored.version != lease.version:
            raise Conflict(f"Lease {lease.namespace}/{lease.name} has been modified")
        return stored

    def _put(self, lease: LeaseRecord) -> LeaseRecord:
        if lease.duration <= 0:
            raise Rejected("spec.leaseDurationSeconds: must be greater than 0")
        stored = replace(lease, version=self.store.next_version(), labels=dict(lease.labels))
        self.store.leases[lease.namespace, lease.name] = stored
        return stored

    async def _request(
        self, verb: str, kind: str, namespace: str, name: str, handle: Callable[[], _T], *, mutating: bool = True
    ) -> _T:
        """Let time pass, apply the faults that are due, and keep a record."""
        await self._clock.sleep(self.latency)
        request = Request(self._clock.boottime(), verb, str(kind), namespace, name, mutating)
        try:
            with self.faults.surround(request):
                result = handle()
        except (ApiError, CrashError) as error:
            self.requests.append(replace(request, result=type(error).__name__))
            raise
        self.requests.append(request)
        return result


def _validate(model: type[BaseModel], part: object) -> None:
    try:
        model.model_validate(part or {})
    except ValidationError as error:
        raise Rejected(f"{model.__name__} is invalid: {error.errors(include_url=False)[0]['msg']}") from error
