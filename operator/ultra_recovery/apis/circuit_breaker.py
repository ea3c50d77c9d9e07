"""CircuitBreaker: one dependency, how to probe it, when it counts as broken, and its state for everybody."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ultra_recovery.apis.breaker_reports import (
    ExternalTarget,
    Reporters,
    ReporterStatus,
    ReportOutcome,
    Trial,
    TrialStatus,
)
from ultra_recovery.apis.breaker_rules import (
    CountWindow,
    OverrideSpec,
    OverrideState,
    OverrideStatus,
    SlowCall,
    TimeWindow,
    WindowSpec,
    WindowStatus,
)
from ultra_recovery.apis.breaker_target import (
    BreakerTarget,
    Comparison,
    HttpTarget,
    PrometheusTarget,
    TcpTarget,
    WorkloadTarget,
)
from ultra_recovery.apis.database import MysqlTarget, PoolerFigures, PoolFigures, PostgresTarget
from ultra_recovery.apis.endpoint import ServiceRef
from ultra_recovery.apis.meta import ApiType, Condition, Seconds, Timestamp, readable


class BreakerState(StrEnum):
    """The three states of a breaker; there is no other."""

    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"


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
                },
                {
                    "rule": "!has(self.window) || !has(self.target.external)",
                    "message": "a window judges probes and an external target has none: remove window, and let "
                    "reporters count what they call a failure",
                    "fieldPath": ".window",
                },
            ]
        }
    )

    target: BreakerTarget = Field(
        description="The dependency: exactly one of http, tcp, prometheus, workload, postgres and mysql, which are "
        "probed, and external."
    )
    probe: ProbeSpec = Field(
        default_factory=ProbeSpec,
        description="How often to probe, and how long to wait for an answer. Ignored for an external target.",
    )
    failure_threshold: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Failures in a row that open the breaker, 1 to 100; counted per reporter for an external target. "
        "Default: 5.",
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
        default=3,
        ge=1,
        le=100,
        description="Successes in a row while HalfOpen that close it, 1 to 100; those of all reporters together for an "
        "external target. Default: 3.",
    )
    half_open_timeout: Seconds = Field(
        default=timedelta(minutes=2),
        description="HalfOpen for this long without a decision opens it again; time in which the probe could not be "
        "made, or nobody reported, does not count. Default: 2m.",
    )
    window: WindowSpec | None = Field(
        default=None,
        description="Also open by the rate of failed or slow calls. Not set: only failureThreshold opens the breaker.",
    )
    override: OverrideSpec | None = Field(
        default=None, description="A person's decision for a while, above the probes' results. Not set: none."
    )


class WouldBe(ApiType):
    """The same table, run on the same results, while the override MetricsOnly keeps the breaker Closed."""

    state: BreakerState = Field(description="The state that the breaker would be in: Closed, Open or HalfOpen.")
    since: Timestamp = Field(description="When the breaker would have entered that state.")
    reason: Annotated[str, Field(max_length=64)] = Field(description="Why it would be in that state; see the reasons.")
    message: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="A sentence on the last result that would have mattered."
    )
    consecutive_failures: int = Field(
        default=0, ge=0, description="Failures in a row, as the breaker would count them."
    )
    consecutive_successes: int = Field(default=0, ge=0, description="Successes in a row while it would be HalfOpen.")
    reopen_count: int = Field(default=0, ge=0, description="How often it would have opened without closing in between.")
    trial_at: Timestamp | None = Field(
        default=None, description="From when on a success would start the trial; only while it would be Open."
    )
    half_open_deadline: Timestamp | None = Field(
        default=None, description="When the trial would end without a decision; only while it would be HalfOpen."
    )


class CircuitBreakerStatus(ApiType):
    """What is known of one dependency, written by the operator; `reporters` by callers, `trial` by the API."""

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
    override: OverrideStatus | None = Field(
        default=None, description="The override in force; absent while there is none."
    )
    would_be: WouldBe | None = Field(
        default=None, description="What the breaker would be without the override; only while that is MetricsOnly."
    )
    window: WindowStatus | None = Field(
        default=None, description="Figures of spec.window; absent while no call in it failed or was slow."
    )
    pool: PoolFigures | None = Field(
        default=None, description="Connections of a database, as its latest good probe saw them; absent for others."
    )
    reporters: Reporters | None = Field(
        default=None,
        description="What callers report of an external target, one entry each; written by the reporters alone.",
    )
    trial: Trial = Field(
        default=None, description="Who may try an external target now; only while HalfOpen. Every transition clears it."
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
    "Comparison",
    "CountWindow",
    "ExternalTarget",
    "HttpTarget",
    "MysqlTarget",
    "OverrideSpec",
    "OverrideState",
    "OverrideStatus",
    "PoolFigures",
    "PoolerFigures",
    "PostgresTarget",
    "ProbeSpec",
    "PrometheusTarget",
    "ReportOutcome",
    "ReporterStatus",
    "ServiceRef",
    "SlowCall",
    "TcpTarget",
    "TimeWindow",
    "TrialStatus",
    "WindowSpec",
    "WindowStatus",
    "WorkloadTarget",
    "WouldBe",
]
