"""Policies that repair databases, with the triggers that call for it; on in-memory twins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.engine.world import NS, World
from ultra_recovery.adapters.memory.jobs import JobPlan
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.database import PoolerFigures, PoolFigures
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import RunPhase, StepResult
from ultra_recovery.core.database_request import REQUEST_VARIABLE, DatabaseRequest, Part
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

TARGET = {
    "postgres": {
        "serviceRef": {"name": "db", "port": 5432},
        "database": "orders",
        "appUser": "orders",
        "credentialsSecretRef": {"name": "probe"},
        "recoverySecretRef": {"name": "recovery"},
        "pooler": {"serviceRef": {"name": "pooler", "port": 6432}, "adminSecretRef": {"name": "console"}},
    }
}
TRIGGER = {"name": "pool", "databasePool": {"breaker": "db", "freeBelow": 3}, "for": "3s"}
DONE = JobPlan(after=1.0, delay=0.5, message='{"changed": true, "message": "closed 3 sessions"}')


def step(action: str, **fields: Any) -> dict[str, Any]:
    return {"name": "repair", "action": {action: {"breaker": "db", **fields}}, "timeout": "20s"}


def shop(*ladder: dict[str, Any], job: JobPlan = DONE, **spec: Any) -> World:
    """A healthy Deployment with a database, and a policy with this ladder."""
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.jobs.usual = job
    world.breaker(
        target=TARGET, probe={"interval": "10s", "timeout": "1s", "trialInterval": "1s", "retryInterval": "2s"}
    )
    show(world, free=20)
    full = {"ladder": list(ladder), "triggers": [TRIGGER], "verify": {"healthyFor": "2s", "within": "8s"}, **spec}
    world.policy(**full)
    return world


def figures(world: World, pooler: dict[str, Any] | None = None, **parts: Any) -> PoolFigures:
    own = PoolerFigures(**{"replicas": 1, "idle": 2, "pool_size": 10, "login_retry_seconds": 15, **(pooler or {})})
    return PoolFigures(at=world.clock.now(), pooler=own, **{"limit": 25, "used": 5, "free": 20, **parts})


def show(world: World, **parts: Any) -> None:
    """From now on the probes succeed and see these figures."""
    world.prober.set("db", Outcome.SUCCESS, figures=figures(world, **parts))


def fail(world: World, reason: Reason = Reason.PROBE_FAILED) -> None:
    world.prober.set("db", Outcome.FAILURE, reason=reason)


def ended(world: World) -> bool:
    return bool(world.runs()) and world.runs()[0].completed


def request_of(world: World, name: str) -> DatabaseRequest:
    """What the Job of this name was told."""
    environment = world.store.jobs[NS, name]["spec"]["template"]["spec"]["containers"][0]["env"]
    return DatabaseRequest.parse(next(item["value"] for item in environment if item["name"] == REQUEST_VARIABLE))


async def test_an_exhausted_pool_is_refreshed_by_a_job_and_verified_by_fresh_figures():
    world = shop(step("refreshPool"))
    async with world.operator():
        await world.clock.sleep(15)
        assert not world.runs()
        show(world, free=1, used=24)
        await world.until(lambda: bool(world.jobs.created))
        await world.clock.sleep(1)
        show(world, free=20)
        await world.until(lambda: ended(world))
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.SUCCEEDED, Reason.VERIFIED)
    assert [item.result for item in run.status.steps] == [StepResult.VERIFIED]
    assert "closed 3 sessions" in (run.status.steps[0].evidence or "")
    assert len(world.jobs.created) == 1
    assert request_of(world, world.jobs.created[0]).part is Part.DO


async def test_trouble_that_a_probe_in_between_does_not_see_starts_no_run():
    world = shop(step("refreshPool"))
    async with world.operator():
        await world.clock.sleep(15)
        for _ in range(10):
            show(world, free=1)
            probes = len(world.prober.calls)
            await world.until(lambda seen=probes: len(world.prober.calls) > seen)
            show(world, free=20)
            await world.until(lambda seen=probes + 1: len(world.prober.calls) > seen)
    assert not world.runs()


async def test_while_a_condition_holds_the_database_is_probed_as_after_a_failure_and_then_as_usual():
    world = shop(step("refreshPool"), triggers=[{**TRIGGER, "for": "60s"}])
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=1)
        await world.clock.sleep(12)
        seen = len(world.prober.calls)
        await world.clock.sleep(20)
        assert 9 <= len(world.prober.calls) - seen <= 11
        show(world, free=20)
        await world.clock.sleep(12)
        seen = len(world.prober.calls)
        await world.clock.sleep(20)
        assert len(world.prober.calls) - seen == 2
    assert not world.runs()


async def test_a_full_server_that_refuses_the_probe_fires_the_trigger_and_gets_its_job():
    world = shop(step("refreshPool"))
    async with world.operator():
        await world.clock.sleep(15)
        fail(world, Reason.EXHAUSTED)
        await world.until(lambda: bool(world.jobs.created))
        show(world)
        await world.until(lambda: ended(world))
    assert world.runs()[0].status.phase is RunPhase.SUCCEEDED


async def test_a_server_that_cannot_be_reached_gets_no_job():
    world = shop(step("refreshPool"), triggers=[{"name": "open", "circuitOpen": {"breaker": "db"}}])
    async with world.operator():
        await world.clock.sleep(3)
        fail(world)
        await world.until(lambda: ended(world))
    run = world.runs()[0]
    assert [(item.result, item.reason) for item in run.status.steps] == [
        (StepResult.NOTHING_TO_DO, Reason.NOTHING_TO_DO)
    ]
    assert not world.jobs.created


async def test_figures_that_nobody_sees_neither_fire_nor_end_an_incident():
    world = shop(step("refreshPool"))
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=0, blind=True)
        await world.clock.sleep(60)
        assert not world.runs()
        show(world, free=0)
        await world.until(lambda: bool(world.runs()))
        show(world, blind=True)
        await world.until(lambda: ended(world))
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.INCONCLUSIVE, Reason.NO_SIGNAL)


@pytest.mark.parametrize(
    "reason", [Reason.SECRET_NOT_FOUND, Reason.SECRET_NOT_ALLOWED, Reason.SECRET_FORBIDDEN, Reason.SECRET_INVALID]
)
async def test_a_secret_that_cannot_be_used_is_an_error_of_the_step_with_its_words(reason: Reason):
    world = shop(step("closeStaleConnections"))
    world.databases.problem = SpecError(reason, "Secret recovery is not what it should be")
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=0)
        await world.until(lambda: ended(world))
    done = world.runs()[0].status.steps[0]
    assert done.result is StepResult.ERROR
    assert "Secret recovery is not what it should be" in (done.message or "")
    assert not world.jobs.created


async def test_a_pool_that_was_raised_in_vain_is_lowered_again_by_a_second_job():
    world = shop(step("raisePoolSize"))
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=0)
        await world.until(lambda: ended(world))
    run = world.runs()[0]
    assert run.status.steps[0].result is StepResult.UNVERIFIED
    told = [request_of(world, name) for name in world.jobs.created]
    assert [item.part for item in told] == ["RestoreLater", "Do", "Undo"]
    assert {(item.size_before, item.size_after) for item in told} == {(10, 15)}


async def test_what_reconnecting_changed_in_the_pooler_is_taken_back_when_it_did_not_help():
    world = shop(step("reconnectDatabase"), triggers=[{"name": "open", "circuitOpen": {"breaker": "db"}}])
    async with world.operator():
        await world.clock.sleep(15)
        fail(world)
        await world.until(lambda: ended(world), 200)
    told = [request_of(world, name) for name in world.jobs.created]
    assert [item.part for item in told] == ["Do", "Undo"]
    assert {(item.size_before, item.size_after) for item in told} == {(15, 1)}


@pytest.mark.parametrize("after", [0.2, 2.0, 5.0])
async def test_another_leader_finishes_the_step_with_the_same_job(after: float):
    world = shop(step("refreshPool"), job=JobPlan(after=4.0, delay=0.5, message=DONE.message))
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=1)
        await world.until(lambda: bool(world.jobs.created))
        await world.clock.sleep(after)
    async with world.operator("two"):
        show(world)
        await world.until(lambda: ended(world))
    assert world.runs()[0].status.phase is RunPhase.SUCCEEDED
    assert len(world.jobs.created) == 1


async def test_a_full_database_lets_pods_be_restarted_where_the_step_says_so_and_a_dead_one_does_not():
    """The fresh probe right before the step decides, and later what the breaker is Open for."""
    restart = {
        "name": "restart",
        "action": {"restartPods": {"pods": "All"}},
        "timeout": "30s",
        "allowWhileOpen": [{"breaker": "db", "reasons": ["Exhausted"]}],
    }
    world = shop(restart, dependencies=[{"breaker": "db"}])
    async with world.operator():
        await world.clock.sleep(15)
        before = set(world.uids())
        fail(world, Reason.EXHAUSTED)
        await world.until(lambda: set(world.uids()).isdisjoint(before))
        await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN)
        assert world.read_breaker().status.reason == Reason.EXHAUSTED
        fail(world)
        await world.until(lambda: world.read_breaker().status.reason == Reason.PROBE_FAILED)
        fail(world, Reason.WRONG_NODE)
        await world.until(lambda: world.read_breaker().status.reason == Reason.WRONG_NODE)


async def test_figures_stand_in_the_status_and_a_healthy_database_writes_nothing():
    world = shop(step("refreshPool"))
    async with world.operator() as api:
        await world.clock.sleep(15)
        pool = world.read_breaker().status.pool
        assert pool is not None
        assert (pool.free, pool.pooler is not None) == (20, True)
        wrote = len([item for item in api.requests if item.kind is Kind.BREAKER and item.verb != "list"])
        for used in (5, 6, 7, 5) * 5:
            show(world, used=used, free=25 - used)
            await world.clock.sleep(15)
        assert len([item for item in api.requests if item.kind is Kind.BREAKER and item.verb != "list"]) == wrote
        show(world, used=15, free=10)
        await world.until(lambda: _free(world) == 10)
        fail(world)
        await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN, 200)
        assert _free(world) == 10
    async with world.operator("two"):
        await world.clock.sleep(5)
        assert _free(world) == 10
        world.breaker(target={"tcp": {"serviceRef": {"name": "db", "port": 1}}})
        await world.until(lambda: _free(world) is None)


async def test_a_policy_that_is_gone_wants_no_fast_probes_any_more():
    world = shop(step("refreshPool"), triggers=[{**TRIGGER, "for": "60s"}])
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=1)
        await world.clock.sleep(12)
        world.store.remove(Key(Kind.POLICY, NS, "web"))
        await world.clock.sleep(3)
        seen = len(world.prober.calls)
        await world.clock.sleep(20)
        assert len(world.prober.calls) - seen <= 3


def _free(world: World) -> int | None:
    pool = world.read_breaker().status.pool
    return pool.free if pool is not None else None


async def test_figures_are_never_older_than_the_probe_that_they_are_judged_by():
    """A run is verified by figures from after its step, not by those that were good a moment before it."""
    world = shop(step("refreshPool"))
    async with world.operator():
        await world.clock.sleep(15)
        show(world, free=1)
        await world.until(lambda: bool(world.jobs.created))
        show(world)
        await world.until(lambda: ended(world))
    run, job = world.runs()[0], world.store.jobs[NS, world.jobs.created[0]]
    verified = run.status.steps[0].good_since
    assert verified is not None
    assert verified - run.status.steps[0].verify_started_at >= timedelta(0)
    assert job["status"]["succeeded"] == 1
