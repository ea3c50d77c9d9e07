"""Counters and latencies of the recovery API."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ultra_recovery.adapters.metric_series import Series, Type

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROUTE = ("route", "method")

REST_SERIES = (
    Series("recovery_rest_requests_total", Type.COUNTER, "Answers of the recovery API.", (*_ROUTE, "code")),
    Series("recovery_rest_request_duration_seconds", Type.HISTOGRAM, "Time that answers took.", _ROUTE, _BUCKETS),
    Series("recovery_rest_streams", Type.GAUGE, "Open streams of events."),
    Series("recovery_rest_cache_stale", Type.GAUGE, "Whether the view of the cluster is out of date."),
    Series("recovery_rest_cache_age_seconds", Type.GAUGE, "Time since the Kubernetes API last answered a list."),
)
"""Routes are templates of paths, and what matches none is one label: callers cannot make labels."""


class RestMetrics:
    """A registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        requests, durations, streams, stale, age = REST_SERIES
        self._requests = Counter(requests.name, requests.help, requests.labels, registry=self._registry)
        self._durations = Histogram(
            durations.name, durations.help, durations.labels, buckets=durations.buckets, registry=self._registry
        )
        self._streams = Gauge(streams.name, streams.help, registry=self._registry)
        self._stale = Gauge(stale.name, stale.help, registry=self._registry)
        self._age = Gauge(age.name, age.help, registry=self._registry)

    def count_request(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count one answer; code 0 is a connection that ended before one."""
        self._requests.labels(route, method, str(code)).inc()
        self._durations.labels(route, method).observe(seconds)

    def watch(self, streams: Callable[[], int], stale: Callable[[], bool], age: Callable[[], float]) -> None:
        """Say where the gauges come from; they are read at each scrape."""
        self._streams.set_function(streams)
        self._stale.set_function(lambda: float(stale()))
        self._age.set_function(age)

    def render(self) -> tuple[bytes, str]:
        """The body of `/metrics` and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
