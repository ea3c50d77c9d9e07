"""RecoveryRun: one recovery from cause to result, the durable record. Its spec never changes."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ultra_recovery.apis.meta import ApiType, Hours, LabelName, ObjectName, TargetRef, Timestamp
from ultra_recovery.apis.recovery_policy import Limits, Step, Verify
from ultra_recovery.apis.trigger import Trigger

Text = Annotated[str, Field(max_length=1024)]
Word = Annotated[str, Field(max_length=64)]
MAX_LISTED_PODS = 20


class Cause(StrEnum):
    """Why a run exists."""

    TRIGGER = "Trigger"


class RecoveryRunSpec(ApiType):
    """What is to be done. Immutable."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self == oldSelf",
                    "message": "the spec of a run never changes: create another run instead",
                }
            ]
        }
    )

    policy_name: ObjectName = Field(
        description="Name of the RecoveryPolicy in the run's own namespace. Example: orders."
    )
    cause: Cause = Field(
        description="Why the run exists. Trigger: an incident of the policy called for it. Example: Trigger."
    )
    incident: int = Field(ge=1, description="Number of the policy's incident that this run belongs to. Example: 7.")
    sequence: int = Field(ge=1, description="Number of the run within the incident, from 1. Example: 3.")
    attempt: int = Field(
        ge=1, description="Which attempt this is if it has an effect; runs without effect use no attempt. Example: 2."
    )
    triggers: Annotated[
        list[LabelName], Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(description="Names of the triggers that had fired; their signals decide about success.")
    expires_after: Hours = Field(
        default=timedelta(minutes=10),
        description="A run that could not start within this time is cancelled, never run late. Default: 10m.",
    )


class RunPhase(StrEnum):
    """Where a run stands; the last five are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"
    CANCELLED = "Cancelled"

    @property
    def completed(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (RunPhase.PENDING, RunPhase.RUNNING)


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "Waiting"
    ACTING = "Acting"
    VERIFYING = "Verifying"
    DONE = "Done"


class StepResult(StrEnum):
    """How a step ended."""

    VERIFIED = "Verified"
    UNVERIFIED = "Unverified"
    NOTHING_TO_DO = "NothingToDo"
    ERROR = "Error"
    BLOCKED = "Blocked"
    INCONCLUSIVE = "Inconclusive"


class EffectOutcome(StrEnum):
    """What became of one effect whose intent was written."""

    EVICTED = "Evicted"
    GONE = "Gone"
    WITHDRAWN = "Withdrawn"
    FAILED = "Failed"


class EffectStatus(ApiType):
    """One effect: the intent is written before it, the outcome after it."""

    kind: Word = Field(description="What is done to the object. Evict: the pod is evicted.")
    pod: Annotated[str, Field(max_length=253)] = Field(
        description="Name of the pod in the run's own namespace. Example: web-6d4cf56db6-x2x7k."
    )
    uid: Word = Field(description="UID of the pod; an effect never reaches another pod of the same name.")
    ready_before: int = Field(ge=0, description="Ready pods of the target at the time of the intent, without this one.")
    intent_at: Timestamp = Field(description="When the intent was written, which is before the effect.")
    outcome: EffectOutcome | None = Field(
        default=None,
        description="Evicted, Gone (somebody else removed it), Withdrawn (never done) or Failed; empty until known.",
    )
    outcome_at: Timestamp | None = Field(
        default=None, description="When the outcome was known; absent while it is not."
    )
    replaced_at: Timestamp | None = Field(
        default=None, description="When a replacement of the pod was first seen Ready."
    )
    message: Text | None = Field(default=None, description="What the API server said, if it refused.")


class StepStatus(ApiType):
    """What happened in one step."""

    name: LabelName = Field(description="Name of the step, as in the ladder of the plan. Example: restart.")
    state: StepState = Field(description="Where the step stands: Waiting (on a gate), Acting, Verifying or Done.")
    reason: Word | None = Field(
        default=None, description="Why the step waits, or ended as it did; see the reasons page."
    )
    message: Text | None = Field(
        default=None, description="The reason as a sentence for people, at most 1024 characters."
    )
    started_at: Timestamp | None = Field(
        default=None, description="When the action began, after its gates had let it pass."
    )
    waiting_since: Timestamp | None = Field(default=None, description="Since when a gate refuses; only while it does.")
    waited_seconds: int = Field(default=0, ge=0, description="Seconds spent waiting on gates inside the action.")
    pods_until: Timestamp | None = Field(
        default=None,
        description="Creation time of the newest pod when the action began; younger ones are replacements.",
    )
    verify_started_at: Timestamp | None = Field(
        default=None, description="When verification began, right after the action had ended."
    )
    good_since: Timestamp | None = Field(
        default=None, description="First good observation of the verification that held."
    )
    finished_at: Timestamp | None = Field(default=None, description="When the step ended, its verification included.")
    result: StepResult | None = Field(
        default=None, description="Verified, Unverified, NothingToDo, Error, Blocked or Inconclusive."
    )
    effects: Annotated[list[EffectStatus], Field(max_length=MAX_LISTED_PODS)] = Field(
        default_factory=list, description="The latest twenty effects with their intents and outcomes."
    )
    effect_count: int = Field(default=0, ge=0, description="All effects of the step that reached their object.")


class TargetSnapshot(ApiType):
    """The target as it was when the run started."""

    kind: Word = Field(description="Kind of the workload: Deployment or StatefulSet.")
    name: Annotated[str, Field(max_length=253)] = Field(
        description="Name of the workload in the run's own namespace. Example: web."
    )
    uid: Word = Field(description="UID of the workload; another UID under this name ends the run.")
    generation: int = Field(ge=0, description="metadata.generation of the workload; a change means a rollout.")


class Plan(ApiType):
    """The part of the policy that the run goes by: taken once, at its start."""

    policy_generation: int = Field(ge=0, description="metadata.generation of the policy that was copied.")
    target_ref: TargetRef = Field(
        description="The workload that is recovered, as the policy named it when the run started."
    )
    triggers: Annotated[list[Trigger], Field(max_length=16)] = Field(
        description="The triggers that had fired; their signals decide about success."
    )
    ladder: Annotated[list[Step], Field(max_length=16)] = Field(
        description="The steps in order, as the policy had them when the run started."
    )
    verify: Verify = Field(
        description="How a step is proven to have helped, as the policy had it when the run started."
    )
    limits: Limits = Field(description="How often, how long and how much at once.")


class RecoveryRunStatus(ApiType):
    """What was done and what came of it. Written by the operator alone."""

    phase: RunPhase | None = Field(
        default=None, description="Pending, Running, Succeeded, Failed, Error, Inconclusive or Cancelled."
    )
    reason: Word | None = Field(default=None, description="Why the run is in its phase; see the reasons page.")
    message: Text | None = Field(
        default=None, description="The result so far as a sentence for people, at most 1024 characters."
    )
    leader_term: int | None = Field(
        default=None, description="Term of the leader that carries the run; an older leader's write is refused."
    )
    target: TargetSnapshot | None = Field(default=None, description="The target as it was when the run started.")
    plan: Plan | None = Field(default=None, description="The part of the policy that the run goes by.")
    steps: Annotated[list[StepStatus], Field(max_length=16)] = Field(
        default_factory=list, description="What happened, step by step, in the order of the plan."
    )
    current_step: Word | None = Field(default=None, description="Name of the step that is being carried out.")
    fault_observed_at: Timestamp | None = Field(
        default=None, description="When the first bad observation of the incident was made."
    )
    detected_at: Timestamp | None = Field(
        default=None, description="When the incident opened: its first trigger had fired for its `for`."
    )
    started_at: Timestamp | None = Field(
        default=None, description="When the run started to act, with the target's Lease."
    )
    recovered_at: Timestamp | None = Field(
        default=None, description="First good observation of the verification that held."
    )
    finished_at: Timestamp | None = Field(
        default=None, description="When the run reached its final phase; absent until then."
    )
