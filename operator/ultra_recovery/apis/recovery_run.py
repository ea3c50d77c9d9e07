"""RecoveryRun: one recovery from cause to result, the durable record. Its spec never changes."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ultra_recovery.apis.meta import ApiType, Hours, LabelName, ObjectName, patterned
from ultra_recovery.apis.trigger import ERROR_TYPE, ERROR_TYPE_MESSAGE, Context


class Cause(StrEnum):
    """Why a run exists."""

    TRIGGER = "Trigger"
    MANUAL = "Manual"
    REPORTED = "Reported"


class RecoveryRunSpec(ApiType):
    """What is to be done. Immutable."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self == oldSelf",
                    "message": "the spec of a run never changes: create another run instead",
                },
                {
                    "rule": "self.cause != 'Trigger' || (has(self.incident) && has(self.sequence) && has(self.attempt) "
                    "&& self.triggers.size() > 0)",
                    "message": "cause Trigger is the operator's own: it needs incident, sequence, attempt and "
                    "triggers; use cause Manual to start a run by hand",
                    "fieldPath": ".cause",
                },
                {
                    "rule": "self.cause == 'Trigger' || (!has(self.incident) && !has(self.sequence) && "
                    "!has(self.attempt))",
                    "message": "incident, sequence and attempt are the operator's own: leave them out, or the run "
                    "would count in an incident that it does not belong to",
                    "fieldPath": ".cause",
                },
                {
                    "rule": "self.cause != 'Reported' || has(self.errorType)",
                    "message": "a run of cause Reported names the error that was seen: set errorType",
                    "fieldPath": ".cause",
                },
                {
                    "rule": "!self.force || (self.cause == 'Manual' && has(self.reason) && self.reason.size() > 0)",
                    "message": "force goes with cause Manual and needs a reason: set reason to why the gates may be "
                    "skipped",
                    "fieldPath": ".force",
                },
            ]
        }
    )

    policy_name: ObjectName = Field(
        description="Name of the RecoveryPolicy in the run's own namespace. Example: orders."
    )
    cause: Cause = Field(
        default=Cause.MANUAL,
        description="Why the run exists. Trigger: an incident of the policy called for it, created by the operator. "
        "Manual: a person wants it. Reported: an application reported an error. Default: Manual.",
    )
    incident: int | None = Field(
        default=None, ge=1, description="Number of the policy's incident that this run belongs to. Example: 7."
    )
    sequence: int | None = Field(
        default=None, ge=1, description="Number of the run within the incident, from 1. Example: 3."
    )
    attempt: int | None = Field(
        default=None,
        ge=1,
        description="Which attempt this is if it has an effect; runs without effect use no attempt. Example: 2.",
    )
    triggers: Annotated[list[LabelName], Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})] = (
        Field(
            default_factory=list,
            description="Names of the triggers that had fired; their signals decide about success; without any, "
            "the target's readiness and its dependencies decide. Default: [].",
        )
    )
    steps: Annotated[list[LabelName], Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})] = (
        Field(
            default_factory=list,
            description="Names of the steps of the policy's ladder to take, in the ladder's order; none named: all. "
            "Default: [].",
        )
    )
    error_type: Annotated[str, patterned(ERROR_TYPE, ERROR_TYPE_MESSAGE, min_length=1, max_length=64)] | None = Field(
        default=None, description="Type of the error that was reported. Example: CUSTOM_ERROR."
    )
    requested_by: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Who asked for the run, as far as is known. Example: jane@example.com."
    )
    reason: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Why the run was asked for, in words for people. Example: ticket 4711."
    )
    context: Context | None = Field(
        default=None,
        description="What was reported besides, as words; Jobs and hooks get it. At most sixteen entries. "
        "Example: {shard: eu-1}.",
    )
    dry_run: bool = Field(
        default=False, description="Only record what would be done, and touch nothing. Default: false."
    )
    force: bool = Field(
        default=False,
        description="Skip the gates MaintenanceWindow, DependencyOpen, Storm and Quorum; only for cause Manual, with a "
        "reason. Default: false.",
    )
    request_id: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="Identity of the request that asked for the run, for audits. Example: 7f3c9a."
    )
    expires_after: Hours = Field(
        default=timedelta(minutes=10),
        description="A run that could not start within this time is cancelled, never run late. Default: 10m.",
    )
