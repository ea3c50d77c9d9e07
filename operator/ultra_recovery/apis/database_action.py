"""Actions on a database: what a step does to the connections between an application and its server."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from ultra_recovery.apis.endpoint import PATH, ServiceRef
from ultra_recovery.apis.meta import ApiType, Hours, ObjectName, Percent, Seconds, patterned

_PATH_MESSAGE = "must start with '/' and contain neither spaces nor '#', such as /pool/refresh"
_Pattern = Annotated[str, Field(min_length=1, max_length=63)]
Patterns = Annotated[list[_Pattern], Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})]
"""Names, with '*' for any characters."""


class DatabaseAction(ApiType):
    """What all actions on a database have in common."""

    breaker: ObjectName = Field(
        description="The CircuitBreaker of the database, with a target postgres or mysql: its Lease is held during "
        "the step, and it is probed while the step is verified. Example: orders-db."
    )


class SessionAction(DatabaseAction):
    """An action that ends sessions of the application."""

    max_sessions: int = Field(
        default=20, ge=1, le=500, description="Sessions that one step ends at most, 1 to 500. Default: 20. Example: 5."
    )
    allow_applications: Patterns = Field(
        default_factory=list,
        description="Only sessions whose application name fits one of these; '*' stands for any characters; an empty "
        "list for any name. Behind a pooler it is the name of whoever used the connection last. Default: []. "
        "Example: [orders-*].",
    )
    deny_applications: Patterns = Field(
        default_factory=list,
        description="Never sessions whose application name fits one of these. Replication, backups, superusers and the "
        "operator's own are never ended anyway. Default: []. Example: [migrate*].",
    )


class ReconnectDatabase(DatabaseAction):
    """Find out whether the server can be reached, mend a pooler that still refuses, and prove it."""

    write_check: bool = Field(
        default=False,
        description="Whether the proof includes a write to recovery.heartbeat, a table of our own that "
        "`ultra-recovery generate sql` makes. Default: false.",
    )


class PoolHook(ApiType):
    """An endpoint of the application that renews its pool, called in every ready pod of a Service."""

    service_ref: ServiceRef = Field(
        description="Service of the policy's own namespace; every one of its ready pods is called. "
        "Its endpoints must be pods of this namespace."
    )
    path: Annotated[str, patterned(PATH, _PATH_MESSAGE, max_length=1024)] = Field(
        description="Path of the endpoint; it must bear being called twice. Example: /pool/refresh."
    )


class RefreshPool(SessionAction):
    """Give the application fresh connections: close transactions left open, renew pools, one measure at a time."""

    idle_in_transaction_for: Seconds = Field(
        default=timedelta(seconds=30),
        description="Sessions that have done nothing inside a transaction for this long are ended. Default: 30s.",
    )
    idle_for: Hours | None = Field(
        default=None,
        description="Sessions without a transaction that have done nothing for this long are ended, one per second and "
        "application. Absent: dependencies[].pool.recycle of the policy, or else none. Example: 10m.",
    )
    hook: PoolHook | None = Field(
        default=None, description="The application's own way to renew its pool; absent: it has none."
    )


class CloseStaleConnections(SessionAction):
    """End sessions that hold a transaction open and do nothing. What they had not committed is rolled back."""

    idle_in_transaction_for: Seconds = Field(
        default=timedelta(seconds=30), description="They have done nothing for this long, from 1s to 1h. Default: 30s."
    )


class EndLongQueries(SessionAction):
    """Cancel statements that run for too long, and end their sessions only if that does not help."""

    running_for: Hours = Field(
        default=timedelta(minutes=1), description="Statements that have run for this long, 1s to 24h. Default: 1m."
    )
    grace: Seconds = Field(
        default=timedelta(seconds=5),
        description="How long a cancelled statement may take to end before its session is ended. Default: 5s.",
    )
    terminate: bool = Field(
        default=True,
        description="Whether a session is ended if its cancelled statement goes on. Default: true. Example: false.",
    )


class RaisePoolSize(DatabaseAction):
    """Let more connections through for a while, within what the server and all applications together can bear."""

    by: Percent = Field(
        default="50%", description="How much larger the pool gets, of its present size, at least by one. Default: 50%."
    )
    at_most: int = Field(
        default=100, ge=1, le=10_000, description="The pool never gets larger than this, 1 to 10000. Default: 100."
    )
    restore_after: Hours = Field(
        default=timedelta(minutes=30),
        description="After this long the old size is set again, if nobody else changed it meanwhile. Default: 30m.",
    )
