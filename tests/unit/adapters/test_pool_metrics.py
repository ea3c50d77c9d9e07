"""The figures of databases as series."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.apis.database import PoolerFigures, PoolFigures
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.pool_figures import gauges_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BREAKER = {"namespace": "shop", "breaker": "db"}


@pytest.fixture
def metrics() -> MetricsSink:
    return MetricsSink()


def probe(metrics: MetricsSink, kind: str = "postgres", breaker: str = "db", **figures: Any) -> None:
    seen = PoolFigures(at=NOW, **figures) if figures else None
    labels = {"namespace": "shop", "breaker": breaker, "target_kind": kind, "outcome": "success"}
    key = Key(Kind.BREAKER, "shop", breaker)
    metrics.publish(
        Notice(Topic.BREAKER_PROBE, key, "u", Reason.PROBE_SUCCEEDED, "m", labels=labels, values=gauges_of(seen))
    )


def pools(metrics: MetricsSink) -> dict[str, float]:
    lines = [line for line in metrics.render()[0].decode().splitlines() if line.startswith("recovery_pool_")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_state_of_connections_has_its_series(metrics: MetricsSink):
    probe(
        metrics,
        limit=25,
        used=20,
        free=5,
        idle_in_transaction=2,
        blocked=1,
        waiting=3,
        longest_query_seconds=7,
        longest_transaction_seconds=9,
        pooler=PoolerFigures(replicas=1),
    )
    where = 'breaker="db",namespace="shop"'
    assert pools(metrics) == {
        f'recovery_pool_connections{{{where},state="used"}}': 20,
        f'recovery_pool_connections{{{where},state="free"}}': 5,
        f'recovery_pool_connections{{{where},state="idle_in_transaction"}}': 2,
        f'recovery_pool_connections{{{where},state="waiting"}}': 3,
        f'recovery_pool_connections{{{where},state="blocked"}}': 1,
        f"recovery_pool_limit{{{where}}}": 25,
        f"recovery_pool_longest_query_seconds{{{where}}}": 7,
        f"recovery_pool_longest_transaction_seconds{{{where}}}": 9,
    }


def test_a_database_that_says_nothing_shows_no_old_figures_and_its_neighbour_keeps_its_own(metrics: MetricsSink):
    probe(metrics, limit=25, used=20, free=5)
    probe(metrics, breaker="other", limit=10, used=1, free=9)
    probe(metrics)
    assert {name for name in pools(metrics) if 'breaker="db"' in name} == set()
    assert {name for name in pools(metrics) if 'breaker="other"' in name}


def test_other_kinds_of_targets_have_no_pool(metrics: MetricsSink):
    probe(metrics, "http")
    assert pools(metrics) == {}


def test_figures_go_with_their_breaker_and_with_leadership(metrics: MetricsSink):
    probe(metrics, limit=25, used=20, free=5)
    metrics.forget(Kind.BREAKER, "shop", "db")
    assert pools(metrics) == {}
    probe(metrics, limit=25, used=20, free=5)
    lost = {"leader": 0.0, "term": 1.0}
    metrics.publish(Notice(Topic.LEADERSHIP, Key(Kind.RUN, "", "x"), "", Reason.LEADER_LOST, "m", values=lost))
    assert pools(metrics) == {}
