"""RecoveryPolicy: for one workload, what counts as trouble, what is done about it, and within which limits."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ultra_recovery.apis.meta import (
    ApiType,
    Condition,
    Hours,
    LabelName,
    Moments,
    Percent,
    Seconds,
    TargetRef,
    Timestamp,
    readable,
)
from ultra_recovery.apis.trigger import Trigger


class Mode(StrEnum):
    """How far the operator may go."""

    AUTO = "Auto"
    PAUSED = "Paused"


class RestartPods(ApiType):
    """Restart pods by rolling eviction: one at a time, PodDisruptionBudgets honoured, the template left alone."""

    pods: Literal["Unhealthy", "All"] = Field(
        default="Unhealthy",
        description="Unhealthy: the pods for which podUnhealthy fires. All: every pod of the target. "
        "Default: Unhealthy.",
    )


class Action(ApiType):
    """What a step does: exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "has(self.restartPods)", "message": "set exactly one kind of action: restartPods"}
            ]
        }
    )

    restart_pods: RestartPods | None = Field(
        default=None, description="Restart pods of the target by evicting them one at a time."
    )


class Step(ApiType):
    """One rung of the ladder."""

    name: LabelName = Field(description="Name of the step, unique in the ladder. Example: restart.")
    action: Action = Field(description="What the step does: exactly one kind of action, such as restartPods.")
    timeout: Seconds = Field(
        default=timedelta(seconds=60),
        description="Time for the action itself, replacements Ready included; verification comes after it. "
        "Default: 1m.",
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
        description="Pause between the end of a run and the next attempt of the same incident. Default: 1m.",
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
                    "|| self.ladder.map(s, duration(s.timeout) + duration(self.verify.within)).sum() "
                    "<= duration(self.limits.timeout)",
                    "message": "the steps do not fit: the sum of each step's timeout plus verify.within must not "
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
            ]
        }
    )

    target_ref: TargetRef = Field(description="The workload that is recovered, in the policy's own namespace.")
    mode: Mode = Field(
        default=Mode.AUTO,
        description="Auto: act. Paused: start nothing, finish and verify the current step, then stop. Default: Auto.",
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


class IncidentState(StrEnum):
    """Where an incident stands."""

    ACTIVE = "Active"
    OBSERVING = "Observing"
    CLOSED = "Closed"


class IncidentStatus(ApiType):
    """The latest incident of a policy."""

    id: int = Field(ge=1, description="Number of the incident; it grows by one with each incident of the policy.")
    state: IncidentState = Field(
        description="Where the incident stands: Active, Observing (all clear, not yet for long enough) or Closed."
    )
    triggers: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=16)] = Field(
        default_factory=list,
        description="Names of the triggers that fired in this incident, in the order in which they fired.",
    )
    attempts: int = Field(default=0, ge=0, description="Attempts so far, derived from the runs; for display.")
    fault_observed_at: Timestamp = Field(description="When the first bad observation of this incident was made.")
    opened_at: Timestamp = Field(description="When the first trigger had fired for its `for`.")
    recovered_at: Timestamp | None = Field(
        default=None, description="Since when all signals are clear; absent while the incident is Active."
    )
    closed_at: Timestamp | None = Field(
        default=None, description="When the incident was closed, minHealthyPeriod after its recovery."
    )


class LastDecision(ApiType):
    """What was decided last, and why."""

    time: Timestamp = Field(description="When it was first decided so; repeating a decision does not move it.")
    decision: Annotated[str, Field(max_length=32)] = Field(
        description="What was decided: Idle, Wait, Hold (a gate refuses) or StartRun."
    )
    reason: Annotated[str, Field(max_length=64)] = Field(description="One word that says why; see the reasons page.")
    message: Annotated[str, Field(max_length=1024)] = Field(
        description="The decision as a sentence for people, at most 1024 characters."
    )


class LastRun(ApiType):
    """The latest run of the policy."""

    name: Annotated[str, Field(max_length=253)] = Field(
        description="Name of the RecoveryRun in the policy's own namespace. Example: orders-7-3."
    )
    phase: Annotated[str, Field(max_length=32)] = Field(
        description="The run's phase when this was written. Example: Succeeded."
    )


class RecoveryPolicyStatus(ApiType):
    """What the operator knows and decided. Nobody else writes it."""

    incident: IncidentStatus | None = Field(
        default=None, description="The latest incident, open or closed; absent until the first one."
    )
    last_decision: LastDecision | None = Field(
        default=None, description="What the operator decided last, and why; refusals are decisions too."
    )
    last_run: LastRun | None = Field(
        default=None, description="The latest run of the policy; absent until the first one."
    )
    last_handled_reset_at: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Value of the reset annotation that was handled last."
    )
    handled_resets: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=8)] | None = Field(
        default=None, description="The last eight values of the reset annotation, none of which fires again."
    )
    reset_at: Timestamp | None = Field(
        default=None, description="Runs created before this moment count neither as attempts nor for pauses."
    )
    observed_generation: int = Field(default=0, ge=0, description="metadata.generation this status was computed for.")
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = Field(default_factory=list, description="Ready, Reconciling, Stalled, Incident, NeedsHuman, Blocked.")
