"""CircuitBreaker: one dependency, how to probe it, when it counts as broken, and its state for everybody."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ultra_recovery.apis.meta import (
    ApiType,
    Condition,
    LabelName,
    ObjectName,
    Percent,
    Seconds,
    Timestamp,
    patterned,
    readable,
)

_URL = r"^https?://[A-Za-z0-9\[][^\s@#]*$"
_URL_MESSAGE = (
    "must be an absolute http or https address without user, password or fragment, such as https://host/health"
)
_PATH = r"^/[^\s#]*$"
_PATH_MESSAGE = "must start with '/' and contain neither spaces nor '#', such as /healthz"
_CODES = r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"
_CODES_MESSAGE = "must be a status code or a range of them from 100 to 599, such as 200 or 200-399"


class BreakerState(StrEnum):
    """The three states of a breaker; there is no other."""

    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"


class ServiceRef(ApiType):
    """A Service of the breaker's own namespace."""

    name: LabelName = Field(description="Name of a Service in the breaker's own namespace. Example: orders.")
    port: int = Field(ge=1, le=65535, description="Port number of the Service, 1 to 65535. Example: 8080.")


class HttpTarget(ApiType):
    """Something that answers HTTP."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.serviceRef) != has(self.url)",
                    "message": "set exactly one of serviceRef (a Service of this namespace) and url",
                },
                {
                    "rule": "!has(self.url) || self.path == '/'",
                    "message": "path goes with serviceRef; write the path into url instead",
                    "fieldPath": ".path",
                },
                {
                    "rule": "self.successCodes.size() != 7 "
                    "|| self.successCodes.substring(0, 3) <= self.successCodes.substring(4)",
                    "message": "a range of status codes goes from the lower to the higher, such as 200-399",
                    "fieldPath": ".successCodes",
                },
            ]
        }
    )

    service_ref: ServiceRef | None = Field(
        default=None,
        description="Service of the breaker's own namespace; the probe goes to one of its ready pods, in turn. "
        "Its endpoints must be pods of this namespace.",
    )
    url: Annotated[str, patterned(_URL, _URL_MESSAGE, max_length=1024)] | None = Field(
        default=None,
        description="Absolute http or https address. Works only where the administrator's allow-list permits it "
        "(setting ULTRA_PROBE_ALLOW). Example: https://status.example.com/health.",
    )
    path: Annotated[str, patterned(_PATH, _PATH_MESSAGE, max_length=1024)] = Field(
        default="/", description="Path and query of the request to serviceRef. Default: /. Example: /healthz?full=1."
    )
    scheme: Literal["HTTP", "HTTPS"] = Field(
        default="HTTP",
        description="HTTP or HTTPS towards serviceRef. HTTPS does not verify the pod's certificate, as the kubelet's "
        "own probes do not. Default: HTTP.",
    )
    method: Literal["GET", "HEAD"] = Field(default="GET", description="Request method, GET or HEAD. Default: GET.")
    success_codes: Annotated[str, patterned(_CODES, _CODES_MESSAGE, max_length=7)] = Field(
        default="200-399",
        description="Status code, or range of codes, that counts as success. 429 never counts either way. "
        "Redirects are not followed. Default: 200-399.",
    )


class WorkloadTarget(ApiType):
    """A workload of the breaker's own namespace, judged by its own readiness."""

    kind: Literal["Deployment", "StatefulSet"] = Field(
        description="Kind of the workload: Deployment or StatefulSet. Example: StatefulSet."
    )
    name: ObjectName = Field(description="Name of the workload in the breaker's own namespace. Example: orders-db.")
    min_ready: Percent = Field(
        default="50%",
        description="Share of spec.replicas, rounded up and at least one, that must be Ready. Scaled to zero counts as "
        "failure. Default: 50%. Example: 100%.",
    )


class BreakerTarget(ApiType):
    """What is probed: exactly one of the kinds."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.http), has(self.workload)].filter(x, x).size() == 1",
                    "message": "set exactly one target: http or workload",
                }
            ]
        }
    )

    http: HttpTarget | None = Field(
        default=None, description="An HTTP request to a Service of this namespace, or to an allowed address."
    )
    workload: WorkloadTarget | None = Field(
        default=None, description="A Deployment or StatefulSet of this namespace, judged by its ready replicas."
    )


class ProbeSpec(ApiType):
    """How often to probe and how long to wait for the answer."""

    interval: Seconds = Field(
        default=timedelta(seconds=30), description="Time between probes while Closed or Open. Default: 30s."
    )
    timeout: Seconds = Field(
        default=timedelta(seconds=5), description="A probe without an answer for this long has failed. Default: 5s."
    )
    retry_interval: Seconds | None = Field(
        default=None, description="Time to the next probe after a failure while Closed. Default: interval. Example: 5s."
    )
    trial_interval: Seconds = Field(
        default=timedelta(seconds=2),
        description="Time between probes while HalfOpen, after a reset, and while a run verifies. Default: 2s.",
    )


class CircuitBreakerSpec(ApiType):
    """What the user says of one dependency."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"!{readable('self.recoveryTimeout', 'self.openMax')} "
                    "|| duration(self.recoveryTimeout) <= duration(self.openMax)",
                    "message": "recoveryTimeout must not be longer than openMax: raise openMax or lower "
                    "recoveryTimeout",
                    "fieldPath": ".recoveryTimeout",
                }
            ]
        }
    )

    target: BreakerTarget = Field(description="The dependency that is probed: exactly one of http and workload.")
    probe: ProbeSpec = Field(
        default_factory=ProbeSpec, description="How often to probe, and how long to wait for an answer."
    )
    failure_threshold: int = Field(
        default=5, ge=1, le=100, description="Failures in a row that open the breaker, 1 to 100. Default: 5."
    )
    recovery_timeout: Seconds = Field(
        default=timedelta(seconds=60),
        description="Open for at least this long before a success counts; doubles at each re-open up to openMax, plus "
        "up to 10 % of jitter. Default: 1m.",
    )
    open_max: Seconds = Field(
        default=timedelta(minutes=10), description="Upper limit of the growing open time. Default: 10m. Example: 30m."
    )
    success_threshold: int = Field(
        default=3, ge=1, le=100, description="Successes in a row while HalfOpen that close it, 1 to 100. Default: 3."
    )
    half_open_timeout: Seconds = Field(
        default=timedelta(minutes=2),
        description="HalfOpen for this long without a decision opens it again; time in which the probe could not be "
        "made does not count. Default: 2m.",
    )


class CircuitBreakerStatus(ApiType):
    """What the operator knows of one dependency. Nobody else writes it."""

    state: BreakerState | None = Field(
        default=None,
        description="Closed (all is well), Open (broken) or HalfOpen (on trial); absent until the first visit.",
    )
    epoch: int = Field(
        default=0,
        ge=0,
        description="Grows by one at every transition and reset; results of an older epoch are dropped.",
    )
    since: Timestamp | None = Field(
        default=None, description="When the breaker entered its present state; a reset counts as entering."
    )
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why the breaker is in its state; see the reasons page."
    )
    message: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="A sentence on the last result that mattered; never a response body."
    )
    target: Annotated[str, Field(max_length=300)] | None = Field(
        default=None, description="The probed target in short, for kubectl get. Example: http orders:8080/healthz."
    )
    target_digest: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Digest of spec.target that the history belongs to."
    )
    consecutive_failures: int = Field(
        default=0, ge=0, description="Failures in a row; written at most every 10 s while the state stays the same."
    )
    consecutive_successes: int = Field(
        default=0, ge=0, description="Successes in a row while HalfOpen; successThreshold of them close it."
    )
    reopen_count: int = Field(default=0, ge=0, description="How often it opened again without closing in between.")
    next_probe_at: Timestamp | None = Field(default=None, description="When the next probe is due; only while Open.")
    trial_at: Timestamp | None = Field(
        default=None, description="From when on a success starts the trial; only while Open."
    )
    half_open_deadline: Timestamp | None = Field(
        default=None, description="When the trial ends without a decision; only while HalfOpen."
    )
    unconfirmed: bool | None = Field(
        default=None, description="True after a reset until a fresh probe succeeded: until then nothing is proven."
    )
    last_handled_reset_at: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Value of the reset annotation that was handled last."
    )
    handled_resets: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=8)] | None = Field(
        default=None, description="The last eight values of the reset annotation, none of which fires again."
    )
    observed_generation: int = Field(default=0, ge=0, description="metadata.generation this status was computed for.")
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = Field(default_factory=list, description="Ready, Reconciling, Stalled, CircuitOpen, TargetHealthy.")


__all__ = [
    "BreakerState",
    "BreakerTarget",
    "CircuitBreakerSpec",
    "CircuitBreakerStatus",
    "HttpTarget",
    "ProbeSpec",
    "ServiceRef",
    "WorkloadTarget",
]
