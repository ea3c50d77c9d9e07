"""Frozen views of Kubernetes objects: only what decisions need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec, CircuitBreakerStatus
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import RecoveryRunStatus

EMPTY: Mapping[str, str] = MappingProxyType({})


class Kind(StrEnum):
    """Kinds that the operator reads."""

    BREAKER = "CircuitBreaker"
    POLICY = "RecoveryPolicy"
    RUN = "RecoveryRun"
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    POD = "Pod"
    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    NAMESPACE = "Namespace"

    @property
    def api_version(self) -> str:
        """The API version that is read and written."""
        return _API_VERSIONS[self]

    @property
    def namespaced(self) -> bool:
        """Whether objects of the kind live in namespaces; the namespace of others is ""."""
        return self is not Kind.NAMESPACE


_API_VERSIONS = {
    Kind.BREAKER: API_VERSION,
    Kind.POLICY: API_VERSION,
    Kind.RUN: API_VERSION,
    Kind.DEPLOYMENT: "apps/v1",
    Kind.STATEFUL_SET: "apps/v1",
    Kind.POD: "v1",
    Kind.SERVICE: "v1",
    Kind.ENDPOINT_SLICE: "discovery.k8s.io/v1",
    Kind.NAMESPACE: "v1",
}


class Key(NamedTuple):
    """Names one object of a kind in the cluster.

    A tuple, as keys are looked up two dozen times for each probe: tuples are hashed and compared in C.
    """

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Meta:
    """Metadata of an object.

    Attributes:
        version: metadata.resourceVersion, opaque except for "newer than" within one object.
        deleting: metadata.deletionTimestamp is set.
        deleted_at: metadata.deletionTimestamp. Of a pod that is the end of its grace period, which may lie ahead.
    """

    key: Key
    uid: str
    version: str
    generation: int = 0
    created_at: datetime | None = None
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    annotations: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """A CircuitBreaker. `spec` is None when it cannot be read; `problem` then says why."""

    meta: Meta
    spec: CircuitBreakerSpec | None
    status: CircuitBreakerStatus
    problem: str = ""
    raw_status: str = "{}"

    @property
    def visited(self) -> bool:
        """Whether the operator has ever written a status to this object."""
        return self.status.state is not None or bool(self.status.conditions)


@dataclass(frozen=True, slots=True)
class Policy:
    """A RecoveryPolicy. `spec` is None when it cannot be read; `problem` then says why."""

    meta: Meta
    spec: RecoveryPolicySpec | None
    status: RecoveryPolicyStatus
    problem: str = ""
    raw_status: str = "{}"

    @property
    def visited(self) -> bool:
        """Whether the operator has ever written a status to this object."""
        return bool(self.status.conditions)


@dataclass(frozen=True, slots=True)
class Run:
    """A RecoveryRun. `spec` is None when it cannot be read; `problem` then says why."""

    meta: Meta
    spec: RecoveryRunSpec | None
    status: RecoveryRunStatus
    problem: str = ""
    raw_status: str = "{}"

    @property
    def completed(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.status.phase is not None and self.status.phase.completed

    @property
    def had_effect(self) -> bool:
        """Whether any step of the run had an effect on the target: that makes it an attempt."""
        return any(step.effect_count for step in self.status.steps)

    @property
    def current_rung(self) -> Step | None:
        """The rung of its plan that the latest step carries out; None before the first."""
        plan, steps = self.status.plan, self.status.steps
        return plan.ladder[len(steps) - 1] if plan is not None and steps else None


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment or StatefulSet.

    Attributes:
        selector: spec.selector.matchLabels.
        has_expressions: the selector also has matchExpressions, which we do not evaluate.
        updated: status.updatedReplicas.
        stalled: a Deployment whose rollout has exceeded its progress deadline.
        template_digest: digest of spec.template. It changes with a rollout and not with the number of replicas.
    """

    meta: Meta
    replicas: int
    selector: Mapping[str, str]
    has_expressions: bool = False
    observed_generation: int = 0
    updated: int = 0
    ready: int = 0
    total: int = 0
    min_ready_seconds: int = 0
    stalled: bool = False
    template_digest: str = ""

    @property
    def rolling_out(self) -> bool:
        """Whether a change of the template is still being rolled out, and has not got stuck."""
        return not self.stalled and (
            self.observed_generation < self.meta.generation or self.updated < self.replicas or self.total > self.updated
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller of a pod."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Terminated:
    """An end of a container.

    Attributes:
        container: its name.
        reason: such as OOMKilled, Completed or Error.
        message: the termination message, at most 4096 characters; kept only of pods whose controller is a Job.
    """

    container: str
    reason: str
    exit_code: int
    finished_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod.

    Attributes:
        ready_changed_at: lastTransitionTime of the Ready condition.
        containers_started_at: the latest start of a running container, None while one is not running.
        waiting: reasons for which containers wait, such as CrashLoopBackOff or ImagePullBackOff.
        terminated: the present and the previous end of each container, as far as there are any, init containers last.
        restart_count: restarts of all containers together.
        scheduled: the pod has a node.
    """

    meta: Meta
    phase: str = "Pending"
    ready: bool = False
    ready_changed_at: datetime | None = None
    started_at: datetime | None = None
    containers_started_at: datetime | None = None
    waiting: tuple[str, ...] = ()
    owner: Owner | None = None
    ips: tuple[str, ...] = ()
    host_network: bool = False
    terminated: tuple[Terminated, ...] = ()
    restart_count: int = 0
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A Service.

    Attributes:
        ports: port number → name of the port, as EndpointSlices repeat it ("" where there is no name).
        external_name: spec.externalName of an ExternalName Service.
    """

    meta: Meta
    ports: Mapping[int, str]
    external_name: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of an EndpointSlice. `pod` is empty when it does not point to a pod of the slice's namespace."""

    address: str
    ready: bool
    pod: str = ""


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """An EndpointSlice: the addresses behind a Service, and the target port of each named port."""

    meta: Meta
    service: str
    ports: Mapping[str, int]
    endpoints: tuple[Endpoint, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace: its annotations can pause everything in it."""

    meta: Meta


AnyObject = Breaker | Policy | Run | Workload | Pod | Service | EndpointSlice | Namespace


def encode_status(status: Mapping[str, object]) -> str:
    """A stable text form of a status, used to see whether a new one differs from what is stored."""
    return json.dumps(status, sort_keys=True, separators=(",", ":"))
