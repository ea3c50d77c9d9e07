"""Every Prometheus series, declared once, and the sink that fills them from notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ultra_recovery.apis.recovery_run import RunPhase
from ultra_recovery.core.notices import Notice, Topic


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its name, type, meaning, labels, and for histograms the upper bounds of its buckets in seconds."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_POLICY = ("namespace", "policy")
_BREAKER = ("namespace", "breaker")
_MINUTES = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_PROBE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

SERIES: tuple[Series, ...] = (
    Series("recovery_attempts_total", "counter", "Runs that had an effect on their target.", _POLICY),
    Series("recovery_runs_total", "counter", "Completed runs by phase.", (*_POLICY, "phase")),
    Series("recovery_run_duration_seconds", "histogram", "From the start of a run to its end.", _POLICY, _MINUTES),
    Series("recovery_time_to_detect_seconds", "histogram", "First bad observation to detection.", _POLICY, _MINUTES),
    Series("recovery_time_to_recover_seconds", "histogram", "First bad observation to recovery.", _POLICY, _MINUTES),
    Series("recovery_active_runs", "gauge", "Runs that are not completed.", _POLICY),
    Series("recovery_effects_total", "counter", "Effects by outcome.", (*_POLICY, "kind", "outcome")),
    Series("recovery_decisions_total", "counter", "New decisions by reason.", (*_POLICY, "decision", "reason")),
    Series("recovery_incidents_total", "counter", "What happened to incidents.", (*_POLICY, "reason")),
    Series("recovery_breaker_state", "gauge", "0 Closed, 1 Open, 2 HalfOpen.", _BREAKER),
    Series("recovery_breaker_transitions_total", "counter", "Transitions by new state.", (*_BREAKER, "to")),
    Series("recovery_probes_total", "counter", "Probes by outcome.", (*_BREAKER, "outcome")),
    Series("recovery_probe_duration_seconds", "histogram", "Duration of probes.", ("target_kind",), _PROBE),
    Series("recovery_enforcement_problems_total", "counter", "Objects found not enforceable.", ("namespace", "reason")),
    Series("recovery_events_dropped_total", "counter", "Kubernetes Events that were not posted."),
    Series("leader_election_master_status", "gauge", "1 on the process that leads.", ("name",)),
)


class MetricsSink:
    """Counts notices. Labels hold namespaces, policies and breakers, never pods, addresses or texts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._active: dict[str, tuple[str, str]] = {}
        for item in SERIES:
            if item.type == "counter":
                name = item.name.removesuffix("_total")
                self._counters[item.name] = Counter(name, item.help, item.labels, registry=self._registry)
            elif item.type == "gauge":
                self._gauges[item.name] = Gauge(item.name, item.help, item.labels, registry=self._registry)
            else:
                self._histograms[item.name] = Histogram(
                    item.name, item.help, item.labels, buckets=item.buckets, registry=self._registry
                )

    def render(self) -> tuple[bytes, str]:
        """All series in the text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def count_dropped_event(self) -> None:
        """One Kubernetes Event was not posted."""
        self._counters["recovery_events_dropped_total"].inc()

    def forget_breaker(self, namespace: str, breaker: str) -> None:
        """A breaker was deleted: its state is not a fact any more."""
        if self._gauges["recovery_breaker_state"].labels(namespace, breaker) is not None:
            self._gauges["recovery_breaker_state"].remove(namespace, breaker)

    def publish(self, notice: Notice) -> None:
        """Count one notice."""
        count = _COUNTING.get(notice.topic)
        if count is not None:
            count(self, notice)

    def _inc(self, name: str, labels: Mapping[str, str]) -> None:
        wanted = next(item.labels for item in SERIES if item.name == name)
        self._counters[name].labels(*(str(labels.get(label, "")) for label in wanted)).inc()

    def _observe(self, name: str, labels: Mapping[str, str], value: float | None) -> None:
        if value is not None:
            wanted = next(item.labels for item in SERIES if item.name == name)
            self._histograms[name].labels(*(str(labels.get(label, "")) for label in wanted)).observe(value)

    def _transition(self, notice: Notice) -> None:
        labels = notice.labels
        self._inc("recovery_breaker_transitions_total", labels)
        gauge = self._gauges["recovery_breaker_state"]
        gauge.labels(labels.get("namespace", ""), labels.get("breaker", "")).set(notice.values.get("state", 0.0))

    def _probe(self, notice: Notice) -> None:
        self._inc("recovery_probes_total", notice.labels)
        self._observe("recovery_probe_duration_seconds", notice.labels, notice.values.get("duration"))

    def _decision(self, notice: Notice) -> None:
        if "decision" in notice.labels:
            self._inc("recovery_decisions_total", {**notice.labels, "reason": notice.reason})

    def _incident(self, notice: Notice) -> None:
        self._inc("recovery_incidents_total", {**notice.labels, "reason": notice.reason})

    def _run(self, notice: Notice) -> None:
        labels, values = notice.labels, notice.values
        policy = (labels.get("namespace", ""), labels.get("policy", ""))
        phase = labels.get("phase", "")
        if phase in (RunPhase.PENDING, RunPhase.RUNNING):
            self._active[notice.uid] = policy
        else:
            self._active.pop(notice.uid, None)
            self._inc("recovery_runs_total", labels)
            if labels.get("attempt") == "true":
                self._inc("recovery_attempts_total", labels)
            self._observe("recovery_run_duration_seconds", labels, values.get("duration"))
            self._observe("recovery_time_to_detect_seconds", labels, values.get("time_to_detect"))
            self._observe("recovery_time_to_recover_seconds", labels, values.get("time_to_recover"))
        active = sum(known == policy for known in self._active.values())
        self._gauges["recovery_active_runs"].labels(*policy).set(active)

    def _effect(self, notice: Notice) -> None:
        self._inc("recovery_effects_total", notice.labels)

    def _enforcement(self, notice: Notice) -> None:
        if notice.warning:
            self._inc("recovery_enforcement_problems_total", {**notice.labels, "reason": notice.reason})

    def _leadership(self, notice: Notice) -> None:
        gauge = self._gauges["leader_election_master_status"]
        gauge.labels(notice.labels.get("name", "operator")).set(notice.values.get("leader", 0.0))


_COUNTING = {
    Topic.BREAKER_TRANSITION: MetricsSink._transition,
    Topic.BREAKER_PROBE: MetricsSink._probe,
    Topic.DECISION: MetricsSink._decision,
    Topic.INCIDENT: MetricsSink._incident,
    Topic.RUN: MetricsSink._run,
    Topic.EFFECT: MetricsSink._effect,
    Topic.ENFORCEMENT: MetricsSink._enforcement,
    Topic.LEADERSHIP: MetricsSink._leadership,
}
