"""A sink that counts: the Prometheus series of the operator, all in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ultra_recovery.adapters.metric_series import SERIES, Series, Type
from ultra_recovery.adapters.standing_gauges import STANDING_GAUGES, standing_samples
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase
from ultra_recovery.core.call import Delivery
from ultra_recovery.core.naming import LEADER_LEASE
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Kind
from ultra_recovery.core.standing import Standing

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
        self._shown: dict[tuple[str, tuple[str, ...]], float] = {}
        # There from the start: an alert cannot tell what never happened from what is not counted.
        self._record("leader_election_master_status", {"name": LEADER_LEASE}, 0.0)
        for outcome in (Delivery.DELIVERED, Delivery.FAILED):
            self._record("recovery_notifications_total", {"outcome": outcome}, 0.0)
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

    def set_clock_skew(self, seconds: float) -> None:
        """How far the wall clock has moved against the clock that never jumps."""
        self._record("recovery_clock_skew_seconds", {}, seconds)

    def set_leader(self, name: str, term: int | None) -> None:
        """The term in which this process leads by the Lease `name`, None while it does not."""
        self._record("leader_election_master_status", {"name": name}, float(term is not None))
        self._record("recovery_leader_term", {}, float(term or 0))

    def set_crds_outdated(self, outdated: bool) -> None:
        """Whether CRDs of the cluster are missing, or too old for this version to begin."""
        self._record("recovery_crds_outdated", {}, float(outdated))

    def set_standing(self, standing: Standing) -> None:
        """Replace all series that say where objects stand now; what is not named has none.

        Only differences are written: ten thousand breakers in the same state must not hold up the probes.
        """
        samples = {
            (name, tuple(labels.values())): value
            for name, labels, value in standing_samples(standing)
            if value is not None
        }
        for name, labels in self._shown.keys() - samples.keys():
            self._metrics[name].remove(*labels)
        for key, value in samples.items():
            if self._shown.get(key) != value:
                name, labels = key
                self._record(name, dict(zip(self._labels[name], labels, strict=True)), value)
        self._shown = samples

    def forget(self, kind: Kind, namespace: str, name: str) -> None:
        """Remove all series of an object that was deleted; those of where it stands go with the next scrape."""
        owner = _OWNERS.get(kind)
        for series, labels in self._labels.items():
            if owner is not None and owner in labels and series not in STANDING_GAUGES:
                self._metrics[series].remove_by_labels({"namespace": namespace, owner: name})

    def render(self) -> tuple[bytes, str]:
        """The body of `/metrics` and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def _record(self, name: str, labels: Mapping[str, str], value: float | None = 1.0) -> None:
        """Add to a counter, set a gauge, or observe in a histogram; without a value, nothing."""
        if value is None:
            return
        metric = self._metrics[name]
        wanted = [labels.get(label, "") for label in self._labels[name]]
        child = metric.labels(*wanted) if wanted else metric
        if isinstance(child, Counter):
            child.inc(value)
        elif isinstance(child, Gauge):
            child.set(value)
        else:
            child.observe(value)

    def _transition(self, notice: Notice) -> None:
        self._record("recovery_breaker_transitions_total", notice.labels)

    def _probe(self, notice: Notice) -> None:
        self._record("recovery_probes_total", notice.labels)
        self._record("recovery_probe_duration_seconds", notice.labels, notice.values.get("duration"))
        if notice.labels.get("target_kind") in _DATABASES:
            self._pool(notice)

    def _pool(self, notice: Notice) -> None:
        """The newest figures take the place of the old ones; what is not known now is shown as nothing."""
        breaker = {name: notice.labels.get(name, "") for name in ("namespace", "breaker")}
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
