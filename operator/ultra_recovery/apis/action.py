"""Actions: what a step of a ladder does."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonValue

from ultra_recovery.apis.database_action import (
    CloseStaleConnections,
    DatabaseAction,
    EndLongQueries,
    RaisePoolSize,
    ReconnectDatabase,
    RefreshPool,
)
from ultra_recovery.apis.endpoint import ENDPOINT_RULES, HttpEndpoint
from ultra_recovery.apis.meta import ApiType, HalfMinute, Hours, LabelName, ObjectName, Seconds, patterned, readable

_REASON = r"^[A-Z][A-Za-z]*$"
_REASON_MESSAGE = "must be a reason as in the breaker's status.reason, such as ProbeFailed; see the reasons page"

_BREAKER_RULE: JsonValue = {
    "rule": "self.class != 'DependencyRepair' || has(self.breaker)",
    "message": "a step of class DependencyRepair names the breaker of the dependency that it repairs",
    "fieldPath": ".breaker",
}


class CustomClass(StrEnum):
    """What a custom action does; the gates apply by class."""

    DISRUPTIVE = "Disruptive"
    ROLLOUT = "Rollout"
    DEPENDENCY_REPAIR = "DependencyRepair"


class RestartPods(ApiType):
    """Restart pods by rolling eviction: one at a time, PodDisruptionBudgets honoured, the template left alone."""

    pods: Literal["Unhealthy", "Offending", "All"] = Field(
        default="Unhealthy",
        description="Unhealthy: the pods for which podUnhealthy fires. Offending: the pod that holds most of the "
        "sessions which the last database step found at fault, by that step's evidence. All: every pod of the target. "
        "Default: Unhealthy.",
    )


class UndoJob(ApiType):
    """How the effect of a Job is taken back."""

    cron_job_name: ObjectName = Field(
        description="Name of a suspended CronJob of the policy's namespace. A Job is made from it when the step has "
        "created its own Job and was not verified. Example: restore-pool-size."
    )


_CLASS = Field(
    default=CustomClass.DISRUPTIVE,
    alias="class",
    description="What the action does, which decides about the gates: Disruptive (to the target's pods), Rollout (to "
    "its template) or DependencyRepair (never vetoed by an open breaker). Default: Disruptive.",
)
_BREAKER: ObjectName | None = Field(
    default=None,
    description="The CircuitBreaker of the dependency that is repaired: its Lease is held during the step, and it is "
    "probed while the step is verified. Example: orders-db.",
)


class RunJob(ApiType):
    """Run a Kubernetes Job made from a suspended CronJob, as `kubectl create job --from` does."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": [_BREAKER_RULE]})

    cron_job_name: ObjectName = Field(
        description="Name of a CronJob of the policy's namespace with spec.suspend true; its Job template is used as "
        "it is, plus RECOVERY_* environment variables, a deadline and labels. Example: repair-cache."
    )
    action_class: CustomClass = _CLASS
    breaker: ObjectName | None = _BREAKER
    undo: UndoJob | None = Field(
        default=None, description="How the effect is taken back when the step was not verified; absent: not at all."
    )


class CallHook(HttpEndpoint):
    """Call an HTTP endpoint of the application once, and take its answer as the result."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": [*ENDPOINT_RULES, _BREAKER_RULE]})

    method: Literal["POST", "PUT"] = Field(
        default="POST",
        description="Request method, POST or PUT; the body is a JSON document that names the run. Default: POST.",
    )
    timeout: HalfMinute = Field(
        default=timedelta(seconds=5), description="Time for the answer, from 1s to 30s. Default: 5s. Example: 20s."
    )
    idempotent: bool = Field(
        default=False,
        description="Whether the endpoint honours the Idempotency-Key header, so that a call whose answer was lost may "
        "be repeated. false: it is never repeated, and the run ends Inconclusive. Default: false.",
    )
    action_class: CustomClass = _CLASS
    breaker: ObjectName | None = _BREAKER


class Webhook(HttpEndpoint):
    """Where a notification is posted."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": ENDPOINT_RULES})


class Notify(ApiType):
    """Tell people: an Event on the policy, and a webhook if one is given. At least once; it never decides a run."""

    message: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="Text for people, sent as it is besides what happened, at most 512 characters. "
        "Example: see the runbook orders-db.",
    )
    severity: Literal["Info", "Warning", "Critical"] = Field(
        default="Warning", description="How urgent it is: Info, Warning or Critical. Default: Warning."
    )
    webhook: Webhook | None = Field(
        default=None,
        description="Where a CloudEvents document is posted, with retries; absent: only the Event on the policy.",
    )


class Action(ApiType):
    """What a step does: exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.restartPods), has(self.runJob), has(self.callHook), has(self.notify), "
                    "has(self.reconnectDatabase), has(self.refreshPool), has(self.closeStaleConnections), "
                    "has(self.endLongQueries), has(self.raisePoolSize)].filter(x, x).size() == 1",
                    "message": "set exactly one kind of action: restartPods, runJob, callHook, notify, "
                    "reconnectDatabase, refreshPool, closeStaleConnections, endLongQueries or raisePoolSize",
                }
            ]
        }
    )

    restart_pods: RestartPods | None = Field(
        default=None, description="Restart pods of the target by evicting them one at a time."
    )
    run_job: RunJob | None = Field(
        default=None, description="Run a Job made from a suspended CronJob of the policy's namespace."
    )
    call_hook: CallHook | None = Field(
        default=None, description="Call an HTTP endpoint of the application, such as one that resets its pool."
    )
    notify: Notify | None = Field(
        default=None, description="Tell people by an Event and a webhook; nothing is verified after it."
    )
    reconnect_database: ReconnectDatabase | None = Field(
        default=None, description="Reach the server again, mend a pooler that still refuses, and prove it."
    )
    refresh_pool: RefreshPool | None = Field(
        default=None, description="Give the application fresh connections, one measure after the other."
    )
    close_stale_connections: CloseStaleConnections | None = Field(
        default=None, description="End sessions that hold a transaction open and do nothing."
    )
    end_long_queries: EndLongQueries | None = Field(
        default=None, description="Cancel statements that run for too long."
    )
    raise_pool_size: RaisePoolSize | None = Field(
        default=None, description="Let more connections through for a while, within the budget of the server."
    )

    @property
    def database(self) -> DatabaseAction | None:
        """The action on a database, if it is one."""
        return (
            self.reconnect_database
            or self.refresh_pool
            or self.close_stale_connections
            or self.end_long_queries
            or self.raise_pool_size
        )

    @property
    def has_undo(self) -> bool:
        """Whether what the action does may have to be taken back when it was not verified."""
        own = self.run_job is not None and self.run_job.undo is not None
        return own or self.raise_pool_size is not None or self.reconnect_database is not None

    @property
    def breaker(self) -> str | None:
        """The breaker of the dependency that the action touches, if it names one."""
        part = self.database or self.run_job or self.call_hook
        return part.breaker if part is not None else None


class AllowWhileOpen(ApiType):
    """A dependency that does not forbid a step although its breaker is Open."""

    breaker: ObjectName = Field(description="Name of a breaker of the policy's dependencies. Example: orders-db.")
    reasons: Annotated[
        list[Annotated[str, patterned(_REASON, _REASON_MESSAGE, min_length=1, max_length=64)]],
        Field(max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(
        default_factory=list,
        description="Only while the breaker is Open for one of these reasons, as in its status.reason; empty: for any. "
        "Default: []. Example: [Exhausted].",
    )


class Approval(ApiType):
    """A person's word before a step."""

    required: bool = Field(
        default=True, description="Whether somebody has to approve the step before it acts. Default: true."
    )
    within: Hours = Field(
        default=timedelta(minutes=30),
        description="Time for the approval; when it is over the step is not done: silence is no approval. "
        "Default: 30m.",
    )


class OnError(StrEnum):
    """What follows a step that could not be carried out."""

    CONTINUE = "Continue"
    STOP = "Stop"


class Step(ApiType):
    """One rung of the ladder."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.action.notify) || (!has(self.approval) && self.allowWhileOpen.size() == 0)",
                    "message": "a notify step passes every gate and asks nobody: remove approval and allowWhileOpen, "
                    "or put them on the step before it",
                },
                {
                    "rule": "!has(self.action.callHook) "
                    f"|| !{readable('self.action.callHook.timeout', 'self.timeout')} "
                    "|| duration(self.action.callHook.timeout) <= duration(self.timeout)",
                    "message": "the hook may take longer than its step: raise the step's timeout or lower "
                    "callHook.timeout (5s unless set)",
                    "fieldPath": ".timeout",
                },
            ]
        }
    )

    name: LabelName = Field(description="Name of the step, unique in the ladder. Example: restart.")
    action: Action = Field(description="What the step does: exactly one kind of action, such as restartPods.")
    timeout: Seconds = Field(
        default=timedelta(seconds=60),
        description="Time for the action itself, replacements Ready included; verification comes after it. "
        "Default: 1m.",
    )
    on_error: OnError = Field(
        default=OnError.CONTINUE,
        description="What follows when the step could not be carried out: Continue with the next one, or Stop the run. "
        "Default: Continue.",
    )
    allow_while_open: Annotated[
        list[AllowWhileOpen],
        Field(
            max_length=4, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["breaker"]}
        ),
    ] = Field(
        default_factory=list,
        description="Dependencies that do not forbid this step although their breakers are Open or their fresh probe "
        "failed; others forbid it. Default: [].",
    )
    approval: Approval | None = Field(
        default=None, description="Whether a person has to approve the step before it acts; absent: nobody has to."
    )
