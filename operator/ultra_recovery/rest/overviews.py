"""The shapes of the answers that are computed from many objects."""

from __future__ import annotations

from pydantic import Field

from ultra_recovery.rest.answers import Answer, BreakerView, Freshness, RunView


class Counters(Answer):
    """How many there are, by state and phase."""

    breakers: dict[str, int]
    runs: dict[str, int]
    active_runs: int
    policies: int


class StatusAnswer(Freshness):
    """What is going on."""

    counters: Counters
    active: list[RunView]
    recent: list[RunView]


class Overview(Answer):
    """The state of everything in a few words."""

    overall: str
    breakers: dict[str, int]
    policies: int
    open_incidents: int
    needs_human: int
    active_runs: int
    awaiting_approval: int


class DependencyHealth(Answer):
    """A dependency in short."""

    service_name: str
    state: str | None
    healthy: str
    since: str | None
    message: str | None


class WorkloadHealth(Answer):
    """A workload that a policy cares for."""

    policy: str
    kind: str | None
    name: str | None
    exists: bool
    replicas: int | None
    ready: int | None
    incident: str | None
    decision: str | None
    needs_human: bool


class Health(Answer):
    """Health of all dependencies and workloads."""

    dependencies: list[DependencyHealth]
    workloads: list[WorkloadHealth]


class Alert(Answer):
    """Something that needs attention."""

    severity: str
    name: str
    object: str
    since: str | None
    message: str


class TimeToRecover(Answer):
    """Seconds from the fault to proven recovery."""

    median: float | None
    longest: float | None


class Trend(Answer):
    """Figures of one period."""

    runs: int
    attempts: int
    succeeded: int
    failed: int
    cancelled: int
    success_rate: float | None
    seconds_to_recover: TimeToRecover
    circuit_openings: int


class Dashboard(Freshness):
    """The dashboard's figures. `trends` has the periods 1h, 24h and 7d."""

    status: Overview
    health: Health
    recent_failures: list[RunView]
    alerts: list[Alert]
    trends: dict[str, Trend]


class PoolFigures(Answer):
    """The connections of a database, as its breaker's status has them: at most half a minute behind."""

    service_name: str
    size: int | None = Field(description="Connections that the server accepts from the application.")
    used: int | None = Field(description="Connections of clients that are open; null while that is not known.")
    free: int | None = Field(description="Connections that the application can still open.")
    idle_in_transaction: int | None = Field(description="Sessions that hold a transaction open and do nothing.")
    longest_transaction_seconds: int | None = Field(description="Age of the oldest open transaction.")
    longest_query_seconds: int | None = Field(description="How long the longest statement has been running.")
    blocked: int | None = Field(description="Sessions that wait for a lock of another session.")
    waiting: int | None = Field(description="Clients that wait in PgBouncer; null where there is none.")
    pooler_replicas: int | None = Field(description="Replicas of PgBouncer that answered; null where there is none.")
    pooler_unreachable: int | None = Field(description="Replicas of PgBouncer that did not answer.")
    at: str = Field(description="When the figures were taken.")


class DatabaseHealth(Freshness):
    """The health of all databases."""

    overall: str
    message: str
    items: list[BreakerView]
    pools: list[PoolFigures]
