"""The shapes of the answers that are computed from many objects."""

from __future__ import annotations

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
    """A connection pool."""

    service_name: str
    size: int | None
    used: int | None


class DatabaseHealth(Freshness):
    """The health of all databases."""

    overall: str
    message: str
    items: list[BreakerView]
    pools: list[PoolFigures]
