"""What probes of a database say to databasePool triggers, and what of their figures is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ultra_recovery.apis.database import PoolerFigures, PoolFigures
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.trigger import DatabasePoolTrigger
from ultra_recovery.core.pool_figures import gauges_of, keep, to_write
from ultra_recovery.core.pool_trouble import PoolHistory, look_at_pool, observe_pool
from ultra_recovery.core.probe import Outcome, ProbeResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL = {
    "freeBelow": 3,
    "waitingClients": 1,
    "idleInTransaction": "30s",
    "longQuery": "1m",
    "blockedSessions": 2,
}
POOLER = {"replicas": 2, "active": 6, "idle": 1, "pool_size": 3}


def figures(*, at: float = 0, pooler: dict[str, Any] | None = None, **parts: Any) -> PoolFigures:
    own = PoolerFigures(**{**POOLER, **(pooler or {})})
    full = {"limit": 100, "used": 10, "free": 90, "pooler": own, **parts}
    return PoolFigures(at=NOW + timedelta(seconds=at), **full)


def result(
    seen: PoolFigures | None, outcome: Outcome = Outcome.SUCCESS, reason: Reason = Reason.PROBE_SUCCEEDED, at: float = 0
) -> ProbeResult:
    started = NOW + timedelta(seconds=at)
    return ProbeResult(outcome, reason, "said so", started, started + timedelta(seconds=1), figures=seen)


def trigger(**spec: Any) -> DatabasePoolTrigger:
    return DatabasePoolTrigger.model_validate({"breaker": "db", **(spec or ALL)})


@pytest.mark.parametrize(
    ("seen", "bad", "part"),
    [
        pytest.param(figures(), False, "90 connections left", id="all is well"),
        pytest.param(figures(free=3), False, "3 connections left", id="just enough left"),
        pytest.param(figures(free=2), True, "2 connections left", id="too few left"),
        pytest.param(figures(free=-1), True, "-1 connections left", id="none left"),
        pytest.param(figures(pooler={"waiting": 1, "idle": 0}), True, "1 clients wait", id="clients wait"),
        pytest.param(figures(pooler={"waiting": 1}), False, "1 clients wait", id="they wait beside a free one"),
        pytest.param(
            figures(idle_in_transaction=2, oldest_idle_seconds=31), True, "for 31 s", id="idle in transaction"
        ),
        pytest.param(figures(idle_in_transaction=2, oldest_idle_seconds=30), False, "for 30 s", id="not long enough"),
        pytest.param(figures(longest_query_seconds=61), True, "runs for 61 s", id="a long statement"),
        pytest.param(figures(longest_query_seconds=60), False, "runs for 60 s", id="a statement just short enough"),
        pytest.param(figures(blocked=2), True, "2 sessions wait for a lock", id="blocked"),
        pytest.param(figures(blocked=1), False, "1 sessions wait for a lock", id="fewer blocked"),
        pytest.param(figures(blind=True, free=0), None, "may not see", id="blind"),
        pytest.param(figures(pooler={"replicas": 0}), None, "no replica", id="no pooler answers"),
        pytest.param(figures(blind=True, pooler={"waiting": 4, "idle": 0}), True, "4 clients", id="blind but waiting"),
        pytest.param(None, None, "no figures", id="no figures"),
    ],
)
def test_each_condition_is_judged_by_its_figures(seen: PoolFigures | None, bad: bool | None, part: str):
    look = look_at_pool(trigger(), result(seen))
    assert look.bad is bad
    assert part in look.message


@pytest.mark.parametrize(
    ("outcome", "reason", "seen", "spec", "bad", "failed"),
    [
        pytest.param(Outcome.FAILURE, Reason.EXHAUSTED, None, {"freeBelow": 1}, True, False, id="a full server"),
        pytest.param(
            Outcome.FAILURE, Reason.EXHAUSTED, None, {"longQuery": "1m"}, None, True, id="full says nothing of others"
        ),
        pytest.param(
            Outcome.FAILURE, Reason.PROBE_FAILED, figures(free=0), {"freeBelow": 1}, None, True, id="a dead server"
        ),
        pytest.param(
            Outcome.FAILURE, Reason.WRONG_NODE, figures(free=0), {"freeBelow": 1}, True, False, id="a read-only one"
        ),
        pytest.param(
            Outcome.ERROR, Reason.CREDENTIALS_REFUSED, None, {"freeBelow": 1}, None, False, id="a refused password"
        ),
    ],
)
def test_a_probe_that_did_not_succeed_says_nothing_but_that_a_server_is_full(
    outcome: Outcome, reason: Reason, seen: PoolFigures | None, spec: dict[str, Any], bad: bool | None, failed: bool
):
    look = look_at_pool(trigger(**spec), result(seen, outcome, reason))
    assert (look.bad, look.failed) == (bad, failed)


def test_a_row_of_bad_probes_holds_only_as_long_as_fresh_ones_say_so():
    spec, history = trigger(freeBelow=3), None
    for at in (0, 30):
        history = observe_pool(history, spec, result(figures(free=0), at=at))
        again = observe_pool(history, spec, result(figures(free=0), at=at))
        assert again is history
    assert isinstance(history, PoolHistory)
    assert history.bad_since == NOW + timedelta(seconds=1)
    assert history.held(timedelta(seconds=30))
    assert not history.held(timedelta(seconds=31))


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(result(figures(), at=10), id="a good one"),
        pytest.param(result(None, Outcome.FAILURE, Reason.PROBE_FAILED, at=10), id="a failed one"),
        pytest.param(None, id="none known any more"),
    ],
)
def test_whatever_is_between_two_bad_probes_begins_the_row_anew(between: ProbeResult | None):
    spec, history = trigger(freeBelow=3), None
    for item in (result(figures(free=0)), between, result(figures(free=0), at=20)):
        history = observe_pool(history, spec, item)
    assert isinstance(history, PoolHistory)
    assert history.bad_since == NOW + timedelta(seconds=21)


def test_good_is_dated_by_the_begin_of_the_first_good_probe():
    spec, history = trigger(freeBelow=3), None
    for at in (0, 5):
        history = observe_pool(history, spec, result(figures(), at=at))
    assert isinstance(history, PoolHistory)
    assert (history.good_since, history.seen_at) == (NOW, NOW + timedelta(seconds=6))


@pytest.mark.parametrize(
    ("fresh", "written"),
    [
        pytest.param(figures(at=29, used=60, free=40), False, id="too early"),
        pytest.param(figures(at=30, used=19, free=81), False, id="little has changed"),
        pytest.param(figures(at=30, used=20, free=80), True, id="a tenth has changed"),
        pytest.param(figures(at=30, longest_query_seconds=19), False, id="short durations are alike"),
        pytest.param(figures(at=30, longest_query_seconds=20), True, id="a duration doubled"),
        pytest.param(figures(at=30, limit=101), True, id="another limit"),
        pytest.param(figures(at=30, blind=True), True, id="blind"),
        pytest.param(figures(at=30, pooler={"unreachable": 1}), True, id="a replica is gone"),
        pytest.param(figures(at=30, pooler={"paused": True}), True, id="paused"),
        pytest.param(figures(at=30, pooler={"active": 5, "idle": 2}), False, id="the pooler at work"),
    ],
)
def test_figures_are_written_when_much_has_changed_and_at_most_every_half_minute(fresh: PoolFigures, written: bool):
    assert to_write(fresh, figures()) == (fresh if written else figures())


def test_the_first_figures_are_written_and_those_of_another_target_go():
    assert to_write(figures(), None) == figures()
    assert to_write(None, figures()) is None


def test_figures_are_kept_over_failures_with_what_the_pooler_says_now():
    pooler = PoolerFigures(replicas=1, waiting=7)
    only = PoolFigures(at=NOW, blind=True, waiting=7, pooler=pooler)
    kept = keep(figures(used=50), only)
    assert kept is not None
    assert (kept.used, kept.blind, kept.waiting, kept.pooler) == (50, False, 7, pooler)
    assert keep(figures(), None) == figures()
    assert keep(None, only) == only


@pytest.mark.parametrize(
    ("seen", "names"),
    [
        pytest.param(None, set(), id="nothing"),
        pytest.param(PoolFigures(at=NOW, blind=True, pooler=PoolerFigures()), {"pool_waiting"}, id="pooler alone"),
        pytest.param(
            PoolFigures(at=NOW, blind=True, limit=9), {"pool_limit", "pool_used", "pool_free"}, id="blind: sums alone"
        ),
    ],
)
def test_metrics_show_only_what_is_known(seen: PoolFigures | None, names: set[str]):
    assert set(gauges_of(seen)) == names
    assert len(gauges_of(figures())) == 8
