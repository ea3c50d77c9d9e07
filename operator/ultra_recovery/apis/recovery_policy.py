"""RecoveryPolicy: for one workload, what counts as trouble, what is done about it, and within which limits."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.meta import (
    ApiType,
    Days,
    Hours,
    LabelName,
    Moments,
    ObjectName,
    Percent,
    Seconds,
    TargetRef,
    patterned,
    readable,
)
from ultra_recovery.apis.trigger import Trigger

_CRON = r"^[0-9A-Za-z*,/?#-]+( [0-9A-Za-z*,/?#-]+){4}$"
_CRON_MESSAGE = "must be five cron fields: minute, hour, day of month, month, day of week, such as 0 2 * * *"
_ZONE = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"
_ZONE_MESSAGE = "must be a time zone of the IANA database, such as Europe/Berlin or UTC"


class Mode(StrEnum):
    """How far the operator may go."""

    AUTO = "Auto"
    MANUAL = "Manual"
    DRY_RUN = "DryRun"
    PAUSED = "Paused"


class AppPool(ApiType):
    """The pool of connections in every pod of the target, as its own configuration says."""

    size: int = Field(
        default=5, ge=1, le=1000, description="Connections that a pod keeps, 1 to 1000 (pool_size). Default: 5."
    )
    max_overflow: int = Field(
        default=10, ge=0, le=1000, description="Connections beyond size that a pod opens when it must. Default: 10."
    )
    max_pods: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Pods that the target has at most: what its autoscaler allows, and those that a rollout adds. "
        "Default: spec.replicas and a quarter more. Example: 12.",
    )
    recycle: Hours = Field(
        default=timedelta(seconds=3600),
        description="Age at which the application renews a connection (pool_recycle): refreshPool ends sessions that "
        "have been idle for longer. Default: 1h.",
    )


class Dependency(ApiType):
    """Something that the target needs to work."""

    breaker: ObjectName = Field(
        description="Name of the CircuitBreaker of the dependency, in the policy's own namespace; not a breaker of the "
        "target itself. Example: orders-db."
    )
    pool: AppPool | None = Field(
        default=None,
        description="The target's pool of connections to this database: the sum over all policies is what a pool is "
        "never raised beyond. Absent: it counts as nothing, and is not raised.",
    )


class WindowEffect(StrEnum):
    """What a maintenance window does to recoveries."""

    ALLOW = "Allow"
    DENY = "Deny"


class MaintenanceWindow(ApiType):
    """A time that comes again and again, in which recoveries are allowed, or are not."""

    name: LabelName = Field(description="Name of the window, unique in the policy. Example: nightly.")
    effect: WindowEffect = Field(
        default=WindowEffect.DENY,
        description="Deny: no step begins inside the window. Allow: steps begin only inside a window of this effect. "
        "Deny wins. Default: Deny.",
    )
    schedule: Annotated[str, patterned(_CRON, _CRON_MESSAGE, max_length=100)] = Field(
        description="When the window opens, as five cron fields: minute, hour, day of month, month, day of week. "
        'Example: "0 2 * * *".'
    )
    duration: Hours = Field(description="How long the window stays open, 1s to 24h. Example: 1h.")
    time_zone: Annotated[str, patterned(_ZONE, _ZONE_MESSAGE, max_length=64)] = Field(
        default="UTC",
        description="Time zone of the schedule, as in the IANA database. Default: UTC. Example: Europe/Berlin.",
    )


class Budget(ApiType):
    """How many runs with an effect may start within a time."""

    runs: int = Field(default=6, ge=1, le=60, description="Runs with an effect, 1 to 60. Default: 6.")
    per: Hours = Field(
        default=timedelta(hours=1), description="The time in which they are counted, 1s to 24h. Default: 1h."
    )


class History(ApiType):
    """How many completed runs are kept."""

    succeeded: int = Field(default=10, ge=0, le=100, description="Runs that Succeeded, 0 to 100. Default: 10.")
    failed: int = Field(
        default=10, ge=0, le=100, description="Runs that ended Failed, Error or Inconclusive, 0 to 100. Default: 10."
    )
    cancelled: int = Field(default=5, ge=0, le=100, description="Runs that were Cancelled, 0 to 100. Default: 5.")
    ttl: Days = Field(
        default=timedelta(hours=720), description="No completed run is kept for longer, 1m to 8760h. Default: 720h."
    )


class Verify(ApiType):
    """How a step is proven to have helped."""

    healthy_for: Moments = Field(
        default=timedelta(seconds=5),
        description="The signals that fired must be good for this long without a break. Default: 5s.",
    )
    within: Seconds = Field(
        default=timedelta(seconds=20), description="Time for that, counted from the end of the action. Default: 20s."
    )


class Limits(ApiType):
    """How often, how long and how much at once."""

    max_attempts: int = Field(
        default=3, ge=1, le=20, description="Automatic attempts for one incident, 1 to 20; then a human. Default: 3."
    )
    interval: Moments = Field(
        default=timedelta(seconds=60),
        description="Pause between the end of a run and the next attempt of the same incident; at least one second. "
        "After runs without any effect it doubles, up to 10m. Default: 1m.",
    )
    timeout: Seconds = Field(
        default=timedelta(seconds=300), description="A run takes at most this long, waiting included. Default: 5m."
    )
    cooldown: Hours = Field(
        default=timedelta(minutes=5),
        description="Pause after a run on this target succeeded, before a run of another incident. Default: 5m.",
    )
    min_healthy: Percent = Field(
        default="50%",
        description="Share of spec.replicas, rounded up, that must stay Ready when a Ready pod is evicted. Removing a "
        "pod that is not Ready never violates it. Default: 50%.",
    )
    budget: Budget = Field(
        default_factory=Budget,
        description="How many runs of this policy with an effect may start within a time. Runs that are deleted go on "
        "counting.",
    )
    min_healthy_period: Hours = Field(
        default=timedelta(minutes=10),
        description="Signals must stay clear for this long before the incident closes and attempts start anew. "
        "Default: 10m.",
    )


class RecoveryPolicySpec(ApiType):
    """What the user says of one workload's recovery."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"!{readable('self.verify.within', 'self.limits.timeout')} "
                    f"|| !self.ladder.all(s, {readable('s.timeout')}) "
                    "|| self.ladder.map(s, duration(s.timeout) + (has(s.action.notify) ? duration('0s') : "
                    "duration(self.verify.within)) + ((has(s.action.runJob) && has(s.action.runJob.undo)) "
                    "|| has(s.action.reconnectDatabase) || has(s.action.raisePoolSize) ? "
                    "duration(s.timeout) : duration('0s'))).sum() <= duration(self.limits.timeout)",
                    "message": "the steps do not fit: the sum of each step's timeout plus verify.within (not after "
                    "notify; the timeout twice for runJob with undo, reconnectDatabase and raisePoolSize) must not "
                    "exceed limits.timeout; raise limits.timeout or shorten the steps",
                    "fieldPath": ".limits.timeout",
                },
                {
                    # Not in Verify: the API server tries the rules of an object on its own default, {}, before the
                    # defaults of its fields are there, and refuses the definition.
                    "rule": f"!{readable('self.verify.healthyFor', 'self.verify.within')} "
                    "|| duration(self.verify.healthyFor) < duration(self.verify.within)",
                    "message": "healthyFor must be shorter than within, or nothing could ever be verified",
                    "fieldPath": ".verify.healthyFor",
                },
                {
                    "rule": "self.ladder.all(s, s.allowWhileOpen.all(a, "
                    "self.dependencies.exists(d, d.breaker == a.breaker)))",
                    "message": "allowWhileOpen names a breaker that is not in spec.dependencies: add it there or "
                    "remove it here",
                    "fieldPath": ".ladder",
                },
            ]
        }
    )

    target_ref: TargetRef = Field(description="The workload that is recovered, in the policy's own namespace.")
    mode: Mode = Field(
        default=Mode.AUTO,
        description="Auto: act. Manual: act only on runs that somebody creates. DryRun: decide and record what would "
        "be done, and touch nothing. Paused: start nothing, finish and verify the current step, then stop. "
        "Default: Auto.",
    )
    dependencies: Annotated[
        list[Dependency],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["breaker"]},
        ),
    ] = Field(
        default_factory=list,
        description="What the target needs. While the breaker of one is Open or HalfOpen, or a fresh probe fails, the "
        "target's pods are left alone: restarting them would not help. Up to sixteen. Default: [].",
    )
    triggers: Annotated[
        list[Trigger],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(description="Causes for which the policy acts; any of them is enough. One to sixteen, by unique name.")
    ladder: Annotated[
        list[Step],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "atomic",
                "x-kubernetes-validations": [
                    {
                        "rule": "self.all(s, self.exists_one(t, t.name == s.name))",
                        "message": "every step needs a name of its own",
                    }
                ],
            },
        ),
    ] = Field(description="Steps in order; each is verified before the next is tried. One to sixteen.")
    verify: Verify = Field(
        default_factory=Verify,
        description="How a step is proven to have helped: which signals must be good, and for how long.",
    )
    limits: Limits = Field(default_factory=Limits, description="How often, how long and how much at once.")
    maintenance_windows: Annotated[
        list[MaintenanceWindow],
        Field(
            max_length=8, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = Field(
        default_factory=list,
        description="Times in which steps may begin, or may not; without any, always. Up to eight, by unique name. "
        "Default: [].",
    )
    history: History = Field(default_factory=History, description="How many completed runs are kept, and for how long.")
    service_account_name: ObjectName | None = Field(
        default=None,
        description="The ServiceAccount of the policy's own namespace that answers for the policy. Where the operator "
        "checks creators, nothing is done that this account may not do itself. Default: none. Example: web-recovery.",
    )
