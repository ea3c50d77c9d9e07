"""Ports: what the engine and the actions need from the world. Adapters and their in-memory twins implement them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ultra_recovery.apis.circuit_breaker import BreakerTarget
from ultra_recovery.core.call import Call, CallResult, Delivery, Message
from ultra_recovery.core.notices import Notice
from ultra_recovery.core.objects import AnyObject, EndpointSlice, Key, Kind
from ultra_recovery.core.probe import ProbeResult
from ultra_recovery.core.rights import Right


class Clock(Protocol):
    """The only source of time outside the adapters."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC: for records and for times read from objects."""

    def boottime(self) -> float:
        """Seconds that never jump and go on while the machine sleeps (CLOCK_BOOTTIME): for deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Random(Protocol):
    """Source of jitter."""

    def random(self) -> float:
        """A number in [0, 1)."""


class View(Protocol):
    """Read access to the table of watched objects."""

    def get(self, key: Key) -> AnyObject | None:
        """The object, or None when it does not exist."""

    def select(self, kind: Kind, namespace: str | None = None) -> Sequence[AnyObject]:
        """All objects of a kind, of one namespace or of all."""

    def slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        """The EndpointSlices of a Service: asked for at every probe, so never found by looking through all."""


class Prober(Protocol):
    """Observes a dependency once."""

    async def probe(self, namespace: str, target: BreakerTarget, within: float, breaker: str = "") -> ProbeResult:
        """Probe the target of a breaker in `namespace`; an answer is due `within` seconds.

        `breaker` is its name: the owner of a Secret says which breakers may use it.

        Never raises for anything the target or the spec does: that is a result.
        """


class Cluster(Protocol):
    """Effects on objects that are not ours."""

    async def evict(self, key: Key, uid: str) -> None:
        """Evict a pod through the Eviction API with a UID precondition. Idempotent while the pod terminates.

        Raises:
            NotFound: the pod is gone.
            Conflict: another pod has its name now.
            TooManyRequests: a PodDisruptionBudget (budget=True) or the server's flow control refuses.
            ApiError: anything else; Unavailable leaves open whether it was done.
        """


Take = Callable[[Mapping[str, Any]], None]
"""Takes one object of a list, as a raw document, which is nobody else's."""


Knows = Callable[[str, str, str], bool]
"""Whether this version of an object is known: namespace, name, resourceVersion. A list may then leave it out."""


class Objects(Protocol):
    """Our own objects and lists of all kinds."""

    async def list(self, kind: Kind, take: Take, knows: Knows) -> str:
        """Pass all objects of a kind to `take`, one after the other, and return the resourceVersion of the list.

        Each object is passed on, or `knows` was asked about it and said yes.

        It may be served from a cache. Others have their turn in between: what changes meanwhile is newer.

        Raises:
            ApiError: the list could not be read to its end; some objects may have been taken before.
        """

    async def list_now(self, kind: Kind, namespace: str, take: Take) -> str:
        """Pass all objects of a kind in one namespace to `take` as they are now, never from a cache that lags behind.

        Returns the resourceVersion of the list.

        Raises:
            ApiError: the list could not be read to its end; some objects may have been taken before.
        """

    async def read_object(self, key: Key) -> Mapping[str, Any]:
        """One object as it is now, never from a cache.

        Raises:
            NotFound: it does not exist.
        """

    async def create_run(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a RecoveryRun and return it as stored.

        Raises:
            AlreadyExists: a run of this name exists.
        """

    async def delete_run(self, namespace: str, name: str, uid: str) -> None:
        """Delete the RecoveryRun with this UID; another one of the name is left alone.

        Raises:
            NotFound: it is gone. Conflict: another run has its name.
        """

    async def write_status(
        self, key: Key, status: Mapping[str, Any], previous: Mapping[str, Any], version: str
    ) -> Mapping[str, Any]:
        """Replace the status of one of our objects, if it is still at resourceVersion `version`; return it as stored.

        `previous` is the status that was read at that version; only the difference is sent.

        Raises:
            Conflict: the object changed since it was read. NotFound: it is gone.
        """


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A coordination.k8s.io Lease.

    Attributes:
        holder: holderIdentity, "" when released.
        duration: leaseDurationSeconds.
        transitions: leaseTransitions; grows when the holder changes.
        version: resourceVersion; "" for a Lease that does not exist yet.
        labels: metadata.labels of a Lease that is created.
        uid: metadata.uid; "" for a Lease that does not exist yet.
    """

    namespace: str
    name: str
    holder: str
    duration: int
    transitions: int
    acquired_at: datetime | None = None
    renewed_at: datetime | None = None
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    uid: str = ""


class Leases(Protocol):
    """Leases: one for the leader, one for each target that is being recovered."""

    async def read(self, namespace: str, name: str) -> LeaseRecord | None:
        """The Lease, or None."""

    async def create(self, lease: LeaseRecord) -> LeaseRecord:
        """Create it. Raises AlreadyExists when somebody was faster."""

    async def replace(self, lease: LeaseRecord) -> LeaseRecord:
        """Write it if it is still at `lease.version`. Raises Conflict or NotFound when it changed or is gone."""

    async def delete(self, lease: LeaseRecord) -> None:
        """Delete it if it is still at `lease.version`. Raises Conflict or NotFound."""


class Jobs(Protocol):
    """Jobs and the CronJobs they are made from, as raw documents."""

    async def read_cron_job(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The CronJob, or None."""

    async def read_job(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The Job, or None."""

    async def create_job(self, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a Job and return it as stored.

        Raises:
            AlreadyExists: a Job of this name exists.
        """


class Caller(Protocol):
    """Makes HTTP requests to endpoints that users name, inside the address policy."""

    async def call(self, namespace: str, call: Call) -> CallResult:
        """Make one request, once: no redirect, no repetition. Never raises for what the endpoint or the spec does.

        Raises:
            NotLeader: this process may not act now: nothing was sent.
        """


class Messenger(Protocol):
    """Delivers notifications in the background, with retries, from a bounded queue."""

    def send(self, message: Message) -> bool:
        """Take a message; False when the queue is full. A key that is waiting or was delivered is not taken twice."""

    def delivery(self, key: str) -> Delivery | None:
        """Where a message stands; None when this process does not know it."""


class Sink(Protocol):
    """Consumes what happened. Sinks never influence a decision and never raise."""

    def publish(self, notice: Notice) -> None:
        """Take one notice; delivery is in the background."""


class Intents(Protocol):
    """What the recovery API writes into our own objects for the engine to find."""

    async def annotate(self, key: Key, annotations: Mapping[str, str], version: str = "") -> Mapping[str, Any]:
        """Set annotations, if the object is still at resourceVersion `version` ("": at any); return it as stored.

        Raises:
            NotFound: it is gone. Conflict: it changed since it was read.
        """

    async def apply_reporter(self, key: Key, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """Apply one entry of `status.reporters`, which is owned by the reporter that it names; return the object.

        Raises:
            NotFound: the breaker is gone. Conflict: somebody else owns an entry of this name.
        """


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Who a bearer token belongs to, as the API server says.

    Attributes:
        extra: what the authenticator adds; it must be passed on with a question about rights.
    """

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Reviewer(Protocol):
    """Asks the API server who somebody is, and what they may do."""

    async def authenticate(self, token: str, audience: str) -> Reviewed | None:
        """Whose token this is, if it was made for `audience`; else None."""

    async def allowed(self, who: Reviewed, right: Right, namespace: str) -> bool:
        """Whether somebody has a right in a namespace; "" is all namespaces.

        Raises:
            ApiError: nobody could say.
        """


class RestMeter(Protocol):
    """Counts what the recovery API answers."""

    def count_request(self, route: str, method: str, code: int, seconds: float) -> None:
        """One answer. `route` is the template of the path, never the path itself."""


class Bench(Protocol):
    """Objects of one namespace as raw documents: what a drill builds, watches and clears away."""

    async def create(self, kind: Kind, document: Mapping[str, Any]) -> None:
        """Create an object.

        Raises:
            AlreadyExists: one of this name exists.
        """

    async def read(self, kind: Kind, name: str) -> Mapping[str, Any] | None:
        """One object, or None."""

    async def list(self, kind: Kind, labels: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind that carry these labels."""

    async def delete(self, kind: Kind, name: str) -> None:
        """Delete an object and, in the background, what belongs to it. One that is gone already is no error."""
