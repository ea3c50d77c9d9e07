"""What the operator knows and decided of a policy."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ultra_recovery.apis.meta import ApiType, Condition, Timestamp


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
    notified: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=16)] = Field(
        default_factory=list,
        description="Gates that blocked this incident for so long that somebody was told, each once.",
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


class RecentRun(ApiType):
    """What budgets, pauses and attempts need to know of a run, so that deleting the run changes nothing."""

    name: Annotated[str, Field(max_length=253)] = Field(description="Name of the RecoveryRun. Example: orders-7-3.")
    uid: Annotated[str, Field(max_length=64)] = Field(
        description="UID of the RecoveryRun: a run of the same name may be another one."
    )
    cause: Annotated[str, Field(max_length=32)] = Field(description="Why it existed: Trigger, Manual or Reported.")
    incident: int = Field(default=0, ge=0, description="Number of the incident, 0 when it belonged to none.")
    phase: Annotated[str, Field(max_length=32)] = Field(
        description="The phase of the run when it was last seen. Example: Succeeded."
    )
    reason: Annotated[str, Field(max_length=64)] = Field(
        default="", description="Why it was in that phase; see the reasons page."
    )
    target_uid: Annotated[str, Field(max_length=64)] = Field(
        default="", description="UID of the workload that the run worked on, empty before it started."
    )
    effective: bool = Field(
        default=False,
        description="Whether it had an effect on its target or a dependency. One that vanished while it ran counts "
        "as having had one.",
    )
    dry_run: bool = Field(default=False, description="Whether it only recorded what would be done.")
    created_at: Timestamp = Field(description="When the run was created, by the API server's clock.")
    started_at: Timestamp | None = Field(default=None, description="When the run started to act; absent before it did.")
    finished_at: Timestamp | None = Field(default=None, description="When the run ended; absent as long as it goes on.")


MAX_RECENT_RUNS = 64


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
    recent_runs: Annotated[list[RecentRun], Field(max_length=MAX_RECENT_RUNS)] = Field(
        default_factory=list,
        description="The latest runs, at most 64, oldest first: budgets, pauses and attempts are counted from them "
        "and from the runs that exist.",
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
