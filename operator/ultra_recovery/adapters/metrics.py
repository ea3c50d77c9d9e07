"""A sink that counts: the Prometheus series of the operator, all in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ultra_recovery.apis.run_status import EffectOutcome, RunPhase
from ultra_recovery.core.call import Delivery
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Kind

SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for probes."""
LONG = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
"""Buckets for recoveries."""


class Type(StrEnum):
    """Types of series."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Series:
    """One series: what `/metrics` says of it."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_POLICY = ("namespace", "policy")
_ENDED = (*_POLICY, "phase", "reason")
_BREAKER = ("namespace", "breaker")
_C, _G, _H = Type.COUNTER, Type.GAUGE, Type.HISTOGRAM

SERIES = (
    Series("recovery_breaker_state", _G, "State of a breaker: 0 Closed, 1 Open, 2 HalfOpen.", _BREAKER),
    Series("recovery_breaker_transitions_total", _C, "Transitions of a breaker, by new state.", (*_BREAKER, "to")),
    Series(
        "recovery_probes_total",
        _C,
        "Probes; target_kind is http, tcp, prometheus, workload, postgres, mysql or unknown.",
        (*_BREAKER, "outcome", "target_kind"),
    ),
    Series(
        "recovery_pool_connections",
        _G,
        "Connections of a database by state: used, free, idle_in_transaction, waiting or blocked; none while unknown.",
        (*_BREAKER, "state"),
    ),
    Series("recovery_pool_limit", _G, "Connections that a database accepts from the application.", _BREAKER),
    Series("recovery_pool_longest_transaction_seconds", _G, "Age of the oldest open transaction.", _BREAKER),
    Series("recovery_pool_longest_query_seconds", _G, "How long the longest statement has been running.", _BREAKER),
    Series("recovery_probe_duration_seconds", _H, "Time that probes took.", ("target_kind",), SHORT),
    Series(
        "recovery_decisions_total",
        _C,
        "New decisions: Idle, Wait, Hold (a gate refuses) or StartRun.",
        (*_POLICY, "decision", "reason"),
    ),
    Series("recovery_incidents_total", _C, "Incidents opened, recovered, returned, closed.", (*_POLICY, "reason")),
    Series("recovery_runs_total", _C, "Completed runs, dry ones not, by how and why they ended.", _ENDED),
    Series("recovery_dry_runs_total", _C, "Completed dry runs: they touch nothing and count nowhere else.", _POLICY),
    Series("recovery_waits_total", _C, "Waits of runs and steps, by the gate that refused.", (*_POLICY, "reason")),
    Series("recovery_run_duration_seconds", _H, "From the start of a run to its end.", _POLICY, LONG),
    Series("recovery_time_to_detect_seconds", _H, "From the first bad observation to detection.", _POLICY, LONG),
    Series("recovery_time_to_recover_seconds", _H, "From the first bad observation to recovery.", _POLICY, LONG),
    Series("recovery_attempts_total", _C, "Completed runs that had an effect on anything but people.", _POLICY),
    Series("recovery_effects_total", _C, "Effects, by what became of them.", (*_POLICY, "kind", "outcome")),
    Series("recovery_active_runs", _G, "Runs that are not completed.", _POLICY),
    Series("recovery_runs_awaiting_approval", _G, "Runs that wait for a person's approval.", _POLICY),
    Series("leader_election_master_status", _G, "1 on the process that leads.", ("name",)),
    Series("recovery_enforcement_problems_total", _C, "Objects found not enforceable.", ("namespace", "reason")),
    Series("recovery_events_dropped_total", _C, "Kubernetes Events that could not be posted."),
    Series("recovery_notifications_total", _C, "Notifications: Delivered, or Failed for good.", ("outcome",)),
    Series("recovery_notifications_dropped_total", _C, "Not taken: 1000 wait, or above 64 KiB."),
    Series("recovery_table_stale", _G, "1 while the view of the cluster is too old to act on."),
)

_COMPLETED = frozenset(phase for phase in RunPhase if phase.completed)
_DATABASES = frozenset({"postgres", "mysql"})
_POOL_STATES = ("used", "free", "idle_in_transaction", "waiting", "blocked")
_POOL_SERIES = {
    "limit": "recovery_pool_limit",
    "longest_transaction": "recovery_pool_longest_transaction_seconds",
    "longest_query": "recovery_pool_longest_query_seconds",
}
_POOL_METRICS = ("recovery_pool_connections", *_POOL_SERIES.values())
_OWNERS = {Kind.BREAKER: "breaker", Kind.POLICY: "policy"}


class MetricsSink:
    """Counts notices in a registry of its own, or in one that is given.

    A label or value that a notice lacks never raises: the label is empty, the value is not recorded.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry if registry is not None else CollectorRegistry()
        self._metrics = {item.name: self._make(item) for item in SERIES}
        self._labels = {item.name: item.labels for item in SERIES}
        self._takers: dict[Topic, Callable[[Notice], None]] = {
            Topic.BREAKER_TRANSITION: self._transition,
            Topic.BREAKER_PROBE: self._probe,
            Topic.DECISION: self._decision,
            Topic.INCIDENT: self._incident,
            Topic.ENFORCEMENT: self._enforcement,
            Topic.RUN: self._run,
            Topic.WAIT: self._wait,
            Topic.EFFECT: self._effect,
            Topic.LEADERSHIP: self._leadership,
        }

    def _make(self, item: Series) -> Counter | Gauge | Histogram:
        if item.type is Type.COUNTER:
            return Counter(item.name, item.help, item.labels, registry=self._registry)
        if item.type is Type.GAUGE:
            return Gauge(item.name, item.help, item.labels, registry=self._registry)
        return Histogram(item.name, item.help, item.labels, buckets=item.buckets, registry=self._registry)

    def publish(self, notice: Notice) -> None:
        """Count a notice."""
        taker = self._takers.get(notice.topic)
        if taker is not None:
            taker(notice)

    def count_dropped_event(self) -> None:
        """A Kubernetes Event was dropped."""
        self._record("recovery_events_dropped_total", {})

    def count_notification(self, delivery: Delivery) -> None:
        """A notification came to an end."""
        self._record("recovery_notifications_total", {"outcome": delivery})

    def count_dropped_notification(self) -> None:
        """A notification was not taken."""
        self._record("recovery_notifications_dropped_total", {})

    def set_stale(self, stale: bool) -> None:
        """Whether the table of watched objects is too old to act on."""
        self._record("recovery_table_stale", {}, float(stale))

    def set_active_runs(self, active: Mapping[tuple[str, str], int], awaiting: Mapping[tuple[str, str], int]) -> None:
        """Replace the numbers of active runs, and of those that await approval: (namespace, policy) → number.

        A policy that is not named has none.
        """
        for name, numbers in (("recovery_active_runs", active), ("recovery_runs_awaiting_approval", awaiting)):
            self._metrics[name].clear()
            for (namespace, policy), number in numbers.items():
                self._record(name, {"namespace": namespace, "policy": policy}, float(number))

    def forget(self, kind: Kind, namespace: str, name: str) -> None:
        """Remove all series of an object that was deleted."""
        owner = _OWNERS.get(kind)
        for series, labels in self._labels.items():
            if owner is not None and owner in labels:
                self._metrics[series].remove_by_labels({"namespace": namespace, owner: name})

    def render(self) -> tuple[bytes, str]:
        """The body of `/metrics` and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def _record(self, name: str, labels: Mapping[str, str], value: float | None = 1.0) -> None:
        """Add to a counter, set a gauge, or observe in a histogram; without a value, nothing."""
        if value is None:
            return
        metric = self._metrics[name]
        wanted = [str(labels.get(label, "")) for label in self._labels[name]]
        child = metric.labels(*wanted) if wanted else metric
        if isinstance(child, Counter):
            child.inc(value)
        elif isinstance(child, Gauge):
            child.set(value)
        else:
            child.observe(value)

    def _transition(self, notice: Notice) -> None:
        self._record("recovery_breaker_transitions_total", notice.labels)
        self._record("recovery_breaker_state", notice.labels, notice.values.get("state"))

    def _probe(self, notice: Notice) -> None:
        self._record("recovery_probes_total", notice.labels)
        self._record("recovery_probe_duration_seconds", notice.labels, notice.values.get("duration"))
        if notice.labels.get("target_kind") in _DATABASES:
            self._pool(notice)

    def _pool(self, notice: Notice) -> None:
        """The newest figures take the place of the old ones; what is not known now is shown as nothing."""
        breaker = {name: notice.labels.get(name, "") for name in _BREAKER}
        for name in _POOL_METRICS:
            self._metrics[name].remove_by_labels(breaker)
        for state in _POOL_STATES:
            labels = {**breaker, "state": state}
            self._record("recovery_pool_connections", labels, notice.values.get(f"pool_{state}"))
        for part, name in _POOL_SERIES.items():
            self._record(name, breaker, notice.values.get(f"pool_{part}"))

    def _decision(self, notice: Notice) -> None:
        # A reset by annotation is told as a decision, too, but decides nothing.
        if "decision" in notice.labels:
            self._record("recovery_decisions_total", {**notice.labels, "reason": notice.reason})

    def _incident(self, notice: Notice) -> None:
        self._record("recovery_incidents_total", {**notice.labels, "reason": notice.reason})

    def _enforcement(self, notice: Notice) -> None:
        if notice.warning:
            self._record("recovery_enforcement_problems_total", {**notice.labels, "reason": notice.reason})

    def _run(self, notice: Notice) -> None:
        labels = notice.labels
        if labels.get("phase") == RunPhase.AWAITING_APPROVAL:
            self._wait(notice)
        if labels.get("phase") not in _COMPLETED:
            return
        if labels.get("dry_run") == "true":
            self._record("recovery_dry_runs_total", labels)
            return
        self._record("recovery_runs_total", {**labels, "reason": notice.reason})
        for name in ("run_duration", "time_to_detect", "time_to_recover"):
            self._record(f"recovery_{name}_seconds", labels, notice.values.get(name.removeprefix("run_")))
        if labels.get("attempt") == "true":
            self._record("recovery_attempts_total", labels)

    def _wait(self, notice: Notice) -> None:
        self._record("recovery_waits_total", {**notice.labels, "reason": notice.reason})

    def _effect(self, notice: Notice) -> None:
        if notice.labels.get("outcome") != EffectOutcome.DRY_RUN:
            self._record("recovery_effects_total", notice.labels)

    def _leadership(self, notice: Notice) -> None:
        self._record("leader_election_master_status", notice.labels, notice.values.get("leader"))
        if not notice.values.get("leader"):
            for name in _POOL_METRICS:
                self._metrics[name].clear()
