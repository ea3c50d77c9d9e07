"""Databases as targets of breakers: how a server is reached, as whom, and what is in front of it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ultra_recovery.apis.endpoint import ServiceRef, SocketTarget
from ultra_recovery.apis.meta import ApiType, ObjectName, Seconds, Timestamp, patterned

_NAME_MESSAGE = "must be a host name, such as orders-db.example.com"
_LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
_LABEL_VALUE_MESSAGE = "must be the value of a label, such as pgbouncer"


class SecretRef(ApiType):
    """A Secret of the breaker's own namespace, whose owner allows this breaker to use it."""

    name: ObjectName = Field(
        description="Name of a Secret with the keys username and password. Its annotation "
        "recovery.ultra.dev/allow-breakers must name this breaker, and a Role of the namespace must let the operator "
        "get it. Example: orders-db-probe."
    )


class Backoff(StrEnum):
    """How the pause between attempts grows."""

    CONSTANT = "Constant"
    EXPONENTIAL = "Exponential"


class Reconnect(ApiType):
    """How often reconnectDatabase tries before it gives up. A probe of the breaker is always one attempt."""

    attempts: int = Field(default=5, ge=1, le=20, description="Attempts until it counts as lost, 1 to 20. Default: 5.")
    delay: Seconds = Field(
        default=timedelta(seconds=5), description="Pause after a failed attempt, from 1s. Default: 5s. Example: 2s."
    )
    backoff: Backoff = Field(
        default=Backoff.CONSTANT,
        description="Constant: every pause is delay. Exponential: the pause doubles up to 30s, each with full jitter. "
        "Default: Constant.",
    )


class DatabaseTls(ApiType):
    """How connections to the server are encrypted, and what is checked."""

    mode: Literal["Prefer", "Disable", "Require", "VerifyFull"] = Field(
        default="Prefer",
        description="Prefer: encrypted where the server can. Disable: never. Require: always, any certificate. "
        "VerifyFull: always, and the certificate must carry serverName and be signed by the authority in key ca.crt of "
        "credentialsSecretRef. Default: Prefer.",
    )
    server_name: Annotated[str, patterned(r"^[A-Za-z0-9][-.A-Za-z0-9]*$", _NAME_MESSAGE, max_length=253)] | None = (
        Field(
            default=None,
            description="Name that the certificate must carry. Default: SERVICE.NAMESPACE.svc, or the host of address. "
            "Example: orders-db.example.com.",
        )
    )


class PoolerPods(ApiType):
    """Pods of the breaker's own namespace that run PgBouncer."""

    match_labels: Annotated[
        dict[
            str,
            Annotated[str, patterned(_LABEL_VALUE, _LABEL_VALUE_MESSAGE, max_length=63)],
        ],
        Field(min_length=1, max_length=8),
    ] = Field(description="Labels that the pods carry, at least one. Example: {app: pgbouncer}.")
    port: int = Field(default=6432, ge=1, le=65535, description="Port of PgBouncer in the pods. Default: 6432.")


class Pooler(ApiType):
    """PgBouncer in front of the server. Every replica is spoken to by its own address: each has a state of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.serviceRef) != has(self.podSelector)",
                    "message": "set exactly one of serviceRef (all of its ready pods) and podSelector",
                }
            ]
        }
    )

    service_ref: ServiceRef | None = Field(
        default=None, description="Service of this namespace whose ready pods run PgBouncer."
    )
    pod_selector: PoolerPods | None = Field(default=None, description="Pods of this namespace that run PgBouncer.")
    admin_secret_ref: SecretRef = Field(
        description="Secret with a user of PgBouncer's console: one of stats_users can look, one of admin_users can "
        "act. Example: {name: pgbouncer-admin}."
    )
    database: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        default=None, description="Name of the database in PgBouncer. Default: database of the server. Example: orders."
    )


class DatabaseTarget(SocketTarget):
    """A database server, judged by a login and a query."""

    database: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="Name of the database that the application uses. Example: orders."
    )
    credentials_secret_ref: SecretRef = Field(
        description="Secret with the role that probes: it can log in and look, and needs no other right. "
        "Example: {name: orders-db-probe}."
    )
    recovery_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with the role that acts; `ultra-recovery generate sql` prints what it may do. Absent: "
        "actions on the database say what is missing. Example: {name: orders-db-recovery}.",
    )
    writable: bool = Field(
        default=True,
        description="Whether the server must accept writes: one that is in recovery or read-only counts as failed, "
        "with reason WrongNode. Default: true.",
    )
    tls: DatabaseTls = Field(
        default_factory=DatabaseTls, description="How connections to the server are encrypted, and what is checked."
    )
    reconnect: Reconnect = Field(
        default_factory=Reconnect, description="How often reconnectDatabase tries before it gives up."
    )
    app_user: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        default=None,
        description="Role that the application logs in as: only its sessions are ever ended, and its connection limit "
        "counts. Absent: no session is ended. Example: orders.",
    )


class PostgresTarget(DatabaseTarget):
    """A PostgreSQL server, and PgBouncer in front of it if there is one."""

    pooler: Pooler | None = Field(default=None, description="PgBouncer in front of the server; absent: there is none.")


class MysqlTarget(DatabaseTarget):
    """A MySQL or MariaDB server."""


class PoolerFigures(ApiType):
    """What all replicas of PgBouncer together say of the database."""

    replicas: int = Field(default=0, ge=0, description="Replicas of PgBouncer that answered the probe.")
    unreachable: int = Field(default=0, ge=0, description="Replicas of PgBouncer that did not answer the probe.")
    active: int = Field(default=0, ge=0, description="Server connections that clients use now.")
    idle: int = Field(default=0, ge=0, description="Server connections that are free for the next client.")
    waiting: int = Field(default=0, ge=0, description="Clients that wait for a server connection.")
    longest_wait_seconds: int = Field(default=0, ge=0, description="How long the first of them has waited, in seconds.")
    pool_size: int = Field(default=0, ge=0, description="Server connections that each pool of one replica may have.")
    login_retry_seconds: int = Field(
        default=0, ge=0, description="server_login_retry: how long a failed login is remembered, in seconds."
    )
    paused: bool = Field(default=False, description="Whether somebody paused the database in a replica.")


class PoolFigures(ApiType):
    """The connections of a database at one moment. Changed at most every 30 s, and only when something changed much."""

    at: Timestamp = Field(description="When the figures were taken by a probe, in UTC.")
    limit: int = Field(default=0, ge=0, description="Connections that the server accepts from ordinary users.")
    used: int = Field(default=0, ge=0, description="Connections of clients that are open at that moment.")
    free: int = Field(default=0, description="Connections that the application can still open; below zero: none.")
    idle_in_transaction: int = Field(
        default=0, ge=0, description="Sessions that hold a transaction open and do nothing."
    )
    oldest_idle_seconds: int = Field(default=0, ge=0, description="How long the longest of them has done nothing.")
    longest_transaction_seconds: int = Field(
        default=0, ge=0, description="Age of the oldest open transaction, in whole seconds."
    )
    longest_query_seconds: int = Field(default=0, ge=0, description="How long the longest statement has been running.")
    waiting: int = Field(default=0, ge=0, description="Clients that wait for a connection in the pooler.")
    blocked: int = Field(default=0, ge=0, description="Sessions that wait for a lock of another session.")
    blind: bool = Field(
        default=False, description="Whether the probe role may not see other sessions: then most figures say nothing."
    )
    pooler: PoolerFigures | None = Field(default=None, description="Figures of PgBouncer; absent: there is none.")
