"""Triggers: the causes for which a policy acts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from ultra_recovery.apis.meta import ApiType, Hours, LabelName, Moments, ObjectName, patterned

ERROR_TYPE = r"^[A-Za-z][A-Za-z0-9_.-]*$"
ERROR_TYPE_MESSAGE = "must begin with a letter and hold letters, digits, '_', '.' and '-', such as CUSTOM_ERROR"

_KEY_RULE: JsonDict = {
    "x-kubernetes-validations": [
        {
            "rule": "self.all(key, key.matches('^[A-Za-z][A-Za-z0-9_.-]{0,62}$'))",
            "message": "a key of context begins with a letter and holds at most 63 letters, digits, '_', '.' and '-'",
        }
    ]
}

_Words = dict[str, Annotated[str, Field(max_length=256)]]
Context = Annotated[_Words, Field(max_length=16, json_schema_extra=_KEY_RULE)]
"""Words about an error, by name."""
_FewWords = Annotated[_Words, Field(max_length=4, json_schema_extra=_KEY_RULE)]


class CircuitOpenTrigger(ApiType):
    """Fires while a breaker is Open; in HalfOpen it neither fires nor clears."""

    breaker: ObjectName = Field(
        description="Name of a CircuitBreaker in the policy's own namespace. Example: orders-db."
    )


class PodUnhealthyReason(StrEnum):
    """What can be wrong with a pod."""

    NOT_READY = "NotReady"
    OOM_KILLED = "OOMKilled"
    CRASH_LOOP = "CrashLoopBackOff"
    IMAGE_PULL = "ImagePull"
    PENDING = "Pending"
    TERMINATING = "Terminating"


class OomKills(ApiType):
    """How many kills for lack of memory count as trouble."""

    count: int = Field(default=3, ge=1, le=20, description="Kills of one pod's containers, 1 to 20. Default: 3.")
    within: Hours = Field(
        default=timedelta(minutes=10), description="The time in which they are counted, 1s to 24h. Default: 10m."
    )


class PodUnhealthyTrigger(ApiType):
    """Fires while a pod of the target is unhealthy; judged for each pod on its own."""

    reasons: Annotated[
        list[PodUnhealthyReason], Field(min_length=1, max_length=8, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(
        default_factory=lambda: [PodUnhealthyReason.NOT_READY],
        description="What counts as unhealthy. NotReady: was Ready before, or is not Ready for longer than "
        "startupGrace. OOMKilled: killed for lack of memory as often as oom says, `for` is ignored. CrashLoopBackOff, "
        "ImagePull (an image that cannot be pulled), Pending (not running for longer than startupGrace) and "
        "Terminating (for longer than startupGrace) fire the trigger, but such pods are never evicted: a restart "
        "does not help them. Default: [NotReady].",
    )
    startup_grace: Moments = Field(
        default=timedelta(minutes=5),
        description="How long a new pod may take to become Ready for the first time. Default: 5m.",
    )
    oom: OomKills = Field(
        default_factory=OomKills, description="How many kills for lack of memory the reason OOMKilled takes."
    )


class ErrorReportedTrigger(ApiType):
    """Fires when errors of these types were reported often enough; a report is a RecoveryRun of cause Reported."""

    error_types: Annotated[
        list[Annotated[str, patterned(ERROR_TYPE, ERROR_TYPE_MESSAGE, min_length=1, max_length=64)]],
        Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(description="Types of errors, as the application names them. Example: [DATABASE_CONNECTION_LOST].")
    count: int = Field(default=1, ge=1, le=100, description="Reports that are needed, 1 to 100. Default: 1.")
    within: Hours = Field(
        default=timedelta(minutes=5), description="The time in which they are counted, 1s to 24h. Default: 5m."
    )
    context: _FewWords | None = Field(
        default=None,
        description="Only reports whose context has all of these entries count. At most four. Not set: any. "
        "Example: {shard: eu-1}.",
    )

    def knows(self, error_type: str | None, context: Mapping[str, str] | None) -> bool:
        """Whether an error of this type, reported with this context, is one of ours."""
        if error_type not in self.error_types:
            return False
        found = context or {}
        return all(found.get(key) == value for key, value in (self.context or {}).items())


class DatabasePoolTrigger(ApiType):
    """Fires while the connections of a database are in trouble; any one of the conditions that are set is enough."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.freeBelow), has(self.waitingClients), has(self.idleInTransaction), "
                    "has(self.longQuery), has(self.blockedSessions)].exists(x, x)",
                    "message": "set at least one of freeBelow, waitingClients, idleInTransaction, longQuery and "
                    "blockedSessions",
                }
            ]
        }
    )

    breaker: ObjectName = Field(
        description="Name of a CircuitBreaker with a target postgres or mysql, in the policy's own namespace. "
        "Example: orders-db."
    )
    free_below: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Exhausted: fewer connections than this are left to the application, 1 to 10000, or it was "
        "refused one. Not set: never. Example: 3.",
    )
    waiting_clients: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Clients that wait in the pooler while it has no free server connection: at least this many, 1 to "
        "10000. Not set: never. Example: 1.",
    )
    idle_in_transaction: Hours | None = Field(
        default=None,
        description="A session has held a transaction open without doing anything for longer than this. Not set: "
        "never. Example: 30s.",
    )
    long_query: Hours | None = Field(
        default=None,
        description="A statement has been running for longer than this. Not set: never. Example: 5m.",
    )
    blocked_sessions: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Sessions that wait for a lock of another session: at least this many. Not set: never. Example: 1.",
    )


class Trigger(ApiType):
    """One cause for which the policy acts: exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.circuitOpen), has(self.podUnhealthy), has(self.databasePool), "
                    "has(self.errorReported)].filter(x, x).size() == 1",
                    "message": "set exactly one kind of trigger: circuitOpen, podUnhealthy, databasePool or "
                    "errorReported",
                }
            ]
        }
    )

    name: LabelName = Field(description="Name of the trigger, unique in the policy. Example: pods.")
    circuit_open: CircuitOpenTrigger | None = Field(
        default=None, description="Fires while the named CircuitBreaker is Open."
    )
    pod_unhealthy: PodUnhealthyTrigger | None = Field(
        default=None, description="Fires while a pod of the target workload is unhealthy."
    )
    database_pool: DatabasePoolTrigger | None = Field(
        default=None, description="Fires while the connections of a database are in trouble."
    )
    error_reported: ErrorReportedTrigger | None = Field(
        default=None,
        description="Fires when the application reported errors of these types; `for` is ignored.",
    )
    hold: Moments = Field(
        default=timedelta(0),
        alias="for",
        description="The condition must hold for this long before the trigger fires. Default: 0s. Example: 30s.",
    )

    @property
    def breaker(self) -> str | None:
        """The breaker that the trigger goes by, if it goes by one."""
        source = self.circuit_open or self.database_pool
        return source.breaker if source is not None else None
