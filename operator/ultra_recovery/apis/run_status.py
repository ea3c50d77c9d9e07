"""What was done in a run and what came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ultra_recovery.apis.action import Step
from ultra_recovery.apis.meta import ApiType, LabelName, ObjectName, TargetRef, Timestamp
from ultra_recovery.apis.recovery_policy import Dependency, Limits, MaintenanceWindow, Verify
from ultra_recovery.apis.trigger import Trigger

Text = Annotated[str, Field(max_length=1024)]
Word = Annotated[str, Field(max_length=64)]
MAX_LISTED_EFFECTS = 20
MAX_EVIDENCE = 2048


class RunPhase(StrEnum):
    """Where a run stands; the last five are final."""

    PENDING = "Pending"
    AWAITING_APPROVAL = "AwaitingApproval"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"
    CANCELLED = "Cancelled"

    @property
    def completed(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (RunPhase.PENDING, RunPhase.AWAITING_APPROVAL, RunPhase.RUNNING)


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "Waiting"
    ACTING = "Acting"
    VERIFYING = "Verifying"
    UNDOING = "Undoing"
    DONE = "Done"


class StepResult(StrEnum):
    """How a step ended."""

    VERIFIED = "Verified"
    UNVERIFIED = "Unverified"
    NOTHING_TO_DO = "NothingToDo"
    ERROR = "Error"
    BLOCKED = "Blocked"
    INCONCLUSIVE = "Inconclusive"
    UNKNOWN = "Unknown"
    NOTIFIED = "Notified"
    SKIPPED = "Skipped"
    DRY_RUN = "DryRun"


class EffectOutcome(StrEnum):
    """What became of one effect whose intent was written."""

    EVICTED = "Evicted"
    CREATED = "Created"
    CALLED = "Called"
    DELIVERED = "Delivered"
    GONE = "Gone"
    WITHDRAWN = "Withdrawn"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
    DRY_RUN = "DryRun"

    @property
    def reached(self) -> bool:
        """Whether the effect reached its object, or may have."""
        return self in (EffectOutcome.EVICTED, EffectOutcome.CREATED, EffectOutcome.CALLED, EffectOutcome.UNKNOWN)


class EffectStatus(ApiType):
    """One effect: the intent is written before it, the outcome after it."""

    kind: Word = Field(
        description="What is done. Evict: the pod is evicted. CreateJob: the Job is created. UndoJob: likewise, to "
        "take an earlier effect back. CallHook: the endpoint is called. Notify: somebody is told."
    )
    object: Annotated[str, Field(max_length=253)] = Field(
        description="What it is done to: the name of the pod or Job in the run's own namespace, the endpoint, or the "
        "cause of a notification. Example: web-6d4cf56db6-x2x7k."
    )
    id: Annotated[str, Field(max_length=128)] = Field(
        description="Identity of the effect: the UID of the pod, the name of the Job, the idempotency key of a call. "
        "The same identity never takes effect twice where the receiver can tell."
    )
    detail: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="What else is needed to carry it out again or to take it back, as JSON. "
        'Example: {"before":20,"after":30}.',
    )
    ready_before: int = Field(
        default=0, ge=0, description="Ready pods of the target at the time of the intent, without this one."
    )
    intent_at: Timestamp = Field(description="When the intent was written, which is before the effect.")
    outcome: EffectOutcome | None = Field(
        default=None,
        description="Evicted, Created, Called, Delivered, Gone (somebody else removed it), Withdrawn (never done), "
        "Failed, Unknown (never repeated) or DryRun; empty until known.",
    )
    outcome_at: Timestamp | None = Field(
        default=None, description="When the outcome was known; absent while it is not."
    )
    settled_at: Timestamp | None = Field(
        default=None,
        description="When its consequence was seen: the replacement of the pod Ready, the Job finished.",
    )
    message: Text | None = Field(
        default=None, description="What the receiver said when it refused the effect, in short."
    )


class StepStatus(ApiType):
    """What happened in one step."""

    name: LabelName = Field(description="Name of the step, as in the ladder of the plan. Example: restart.")
    state: StepState = Field(
        description="Where the step stands: Waiting (on a gate), Acting, Verifying, Undoing or Done."
    )
    reason: Word | None = Field(
        default=None, description="Why the step waits, or ended as it did; see the reasons page."
    )
    message: Text | None = Field(
        default=None, description="The reason as a sentence for people, at most 1024 characters."
    )
    entered_at: Timestamp | None = Field(
        default=None,
        description="When the run came to this step; dependencies are probed anew from then on.",
    )
    started_at: Timestamp | None = Field(
        default=None, description="When the action began, after its gates had let it pass."
    )
    approval_requested_at: Timestamp | None = Field(
        default=None, description="Since when the step waits, or waited, for a person's approval."
    )
    approved_at: Timestamp | None = Field(
        default=None, description="When the approval of the step was seen by the operator."
    )
    good_before: bool | None = Field(
        default=None,
        description="Whether all that the step is verified by was good before it acted; then nothing can be proven.",
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
        default=None,
        description="Verified, Unverified, NothingToDo, Error, Blocked, Inconclusive, Unknown (an effect that must not "
        "be repeated has no known outcome), Notified, Skipped or DryRun.",
    )
    effects: Annotated[list[EffectStatus], Field(max_length=MAX_LISTED_EFFECTS)] = Field(
        default_factory=list, description="The latest twenty effects with their intents and outcomes."
    )
    effect_count: int = Field(
        default=0, ge=0, description="All effects of the step that reached their object and changed something."
    )
    evidence: Annotated[str, Field(max_length=MAX_EVIDENCE)] | None = Field(
        default=None, description="What the step's Job said of its work, at most 2048 characters."
    )


class TargetSnapshot(ApiType):
    """The target as it was when the run started."""

    kind: Word = Field(description="Kind of the workload: Deployment or StatefulSet.")
    name: Annotated[str, Field(max_length=253)] = Field(
        description="Name of the workload in the run's own namespace. Example: web."
    )
    uid: Word = Field(description="UID of the workload; another UID under this name ends the run.")
    generation: int = Field(ge=0, description="metadata.generation of the workload when the run started.")
    template: Word = Field(
        default="", description="Digest of the workload's pod template; a change means that somebody rolls it out."
    )


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
    dependencies: Annotated[list[Dependency], Field(max_length=16)] = Field(
        default_factory=list, description="What the target needs, as the policy had it when the run started."
    )
    maintenance_windows: Annotated[list[MaintenanceWindow], Field(max_length=8)] = Field(
        default_factory=list, description="When steps may begin, as the policy had it when the run started."
    )
    service_account_name: ObjectName | None = Field(
        default=None, description="Who answers for the policy, as it said when the run started. Default: none."
    )


class RecoveryRunStatus(ApiType):
    """What was done and what came of it. Written by the operator alone."""

    phase: RunPhase | None = Field(
        default=None,
        description="Pending, AwaitingApproval, Running, Succeeded, Failed, Error, Inconclusive or Cancelled.",
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
    approval_seconds: int = Field(
        default=0, ge=0, description="Seconds spent waiting for approvals; they do not count towards limits.timeout."
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
