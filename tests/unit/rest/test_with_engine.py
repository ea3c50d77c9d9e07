"""The API and the engine on one cluster: what is asked for here is done there, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.world import WEB
from tests.unit.engine.world import World as Cluster
from tests.unit.rest.world import World
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Run
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ALL = {"name": "all", "action": {"restartPods": {"pods": "All"}}, "timeout": "60s"}
BODY = {"error_type": "CUSTOM_ERROR", "service_name": "web"}


def reported(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "reported", "errorReported": {"errorTypes": ["CUSTOM_ERROR"], **more}}]


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster()
    found.workloads.deployment(WEB.namespace, WEB.name, 2)
    return found


@pytest.fixture
def world(cluster: Cluster, tmp_path: Path) -> World:
    return World(tmp_path, store=cluster.store)


async def trigger(world: World, caller: str = "all", **more: Any) -> dict[str, Any]:
    async with world.caller(caller) as client:
        answer = await client.post(
            "/api/recovery/trigger", json={**BODY, **more}, headers={"X-Request-Id": f"by-{caller}"}
        )
    assert answer.status_code == 202, answer.text
    return answer.json()["runs"][0]


async def ended(cluster: Cluster, name: str) -> Run:
    def look() -> Run | None:
        return next((run for run in cluster.runs() if run.meta.key.name == name and run.completed), None)

    await cluster.until(lambda: look() is not None, 400)
    found = look()
    assert found is not None
    return found


async def test_a_reset_closes_the_breaker_and_its_event_names_the_request(cluster: Cluster, world: World):
    cluster.breaker()
    cluster.prober.set("db", Outcome.FAILURE)
    async with cluster.operator():
        await cluster.until(lambda: cluster.read_breaker().status.state is BreakerState.OPEN)
        cluster.prober.set("db", Outcome.SUCCESS)
        async with world.caller() as client:
            path = "/api/recovery/circuit-breaker/reset"
            asked = await client.post(path, json={"service_name": "db"}, headers={"X-Request-Id": "req-7"})
            await cluster.until(lambda: cluster.read_breaker().status.state is BreakerState.CLOSED, 5)
            shown = (await client.get("/api/recovery/circuit-breaker/status")).json()["items"][0]
    assert (asked.status_code, shown["state"]) == (202, "Closed")
    assert shown["reset_handled"] == shown["reset_requested"] == asked.json()["reset_requested"]
    (told,) = [notice for notice in cluster.sink.notices if notice.reason is Reason.RESET]
    assert "request.req-7" in told.message


async def test_a_run_by_hand_acts_and_its_events_name_the_request(cluster: Cluster, world: World):
    cluster.policy(mode="Manual", ladder=[ALL], triggers=reported())
    before = cluster.uids()
    async with cluster.operator():
        await cluster.clock.sleep(3)
        run = await ended(cluster, (await trigger(world))["name"])
    assert not set(before.values()) & set(cluster.uids().values())
    assert any("(request by-all)" in notice.message for notice in cluster.sink.notices if notice.key == run.meta.key)


async def test_an_operator_that_dies_between_the_call_and_the_effect_acts_once(cluster: Cluster, world: World):
    cluster.policy(mode="Manual", ladder=[ALL], triggers=reported())
    before = cluster.uids()
    async with cluster.operator("one"):
        await cluster.clock.sleep(3)
        name = (await trigger(world))["name"]
    async with cluster.operator("two"):
        run = await ended(cluster, name)
    evicted = [effect.id for step in run.status.steps for effect in step.effects]
    assert sorted(evicted) == sorted(before.values())
    assert len(cluster.runs()) == 1


async def test_reports_below_the_count_end_and_the_one_that_reaches_it_acts(cluster: Cluster, world: World):
    cluster.policy(triggers=reported(count=3), ladder=[ALL])
    async with cluster.operator():
        await cluster.clock.sleep(3)
        runs = [await ended(cluster, (await trigger(world, "only-report"))["name"]) for _ in range(3)]
    assert [run.status.reason for run in runs[:2]] == [Reason.COUNT_NOT_REACHED] * 2
    assert runs[0].status.phase is RunPhase.CANCELLED
    assert runs[2].status.reason != Reason.COUNT_NOT_REACHED
    assert runs[2].had_effect


async def test_reports_of_another_context_do_not_count(cluster: Cluster, world: World):
    cluster.policy(
        triggers=[
            *reported(count=2, context={"shard": "eu"}),
            {"name": "any", "errorReported": {"errorTypes": ["CUSTOM_ERROR"], "count": 9}},
        ]
    )
    async with cluster.operator():
        await cluster.clock.sleep(3)
        first = await ended(cluster, (await trigger(world, "only-report", context={"shard": "us"}))["name"])
        second = await ended(cluster, (await trigger(world, "only-report", context={"shard": "eu"}))["name"])
        third = await ended(cluster, (await trigger(world, "only-report", context={"shard": "eu"}))["name"])
    assert [run.status.reason for run in (first, second)] == [Reason.COUNT_NOT_REACHED] * 2
    assert third.status.reason != Reason.COUNT_NOT_REACHED


async def test_a_step_is_approved_through_the_api(cluster: Cluster, world: World):
    cluster.policy(mode="Manual", triggers=reported(), ladder=[{**ALL, "approval": {"within": "10m"}}])
    async with cluster.operator():
        await cluster.clock.sleep(3)
        started = await trigger(world)
        await cluster.until(lambda: cluster.runs()[0].status.phase is RunPhase.AWAITING_APPROVAL)
        async with world.caller("only-approve") as client:
            answer = await client.post(f"{started['location']}/approve")
        run = await ended(cluster, started["name"])
    assert (answer.status_code, run.had_effect) == (202, True)


async def test_a_run_is_cancelled_through_the_api(cluster: Cluster, world: World):
    cluster.policy(mode="Manual", triggers=reported(), ladder=[{**ALL, "approval": {"within": "10m"}}])
    async with cluster.operator():
        await cluster.clock.sleep(3)
        started = await trigger(world)
        await cluster.until(lambda: cluster.runs()[0].status.phase is RunPhase.AWAITING_APPROVAL)
        async with world.caller() as client:
            await client.post(f"{started['location']}/cancel", json={"reason": "wrong one"})
        run = await ended(cluster, started["name"])
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, Reason.CANCEL_REQUESTED)


async def test_reports_open_an_external_breaker_and_one_caller_at_a_time_tries_until_it_closes(
    cluster: Cluster, world: World
):
    cluster.external(successThreshold=2)
    base = "/api/recovery/circuit-breaker"

    async def call(path: str, caller: str = "all", **body: Any) -> dict[str, Any]:
        async with world.caller(caller) as client:
            answer = await client.post(f"{base}/{path}", json={"service_name": "db", **body})
        assert answer.is_success, answer.text
        return answer.json()

    def state() -> BreakerState | None:
        return cluster.read_breaker().status.state

    async with cluster.operator():
        await cluster.until(lambda: state() is BreakerState.CLOSED)
        assert (await call("trial"))["granted"]
        await call("report", outcome="failure", count=5, message="HTTP 503")
        await cluster.until(lambda: state() is BreakerState.OPEN, 5)
        refused = await call("trial")
        assert (refused["granted"], refused["reason"]) == (False, "Open")
        await cluster.until(lambda: state() is BreakerState.HALF_OPEN, 30)
        for _ in range(2):
            await cluster.clock.sleep(2)
            assert (await call("trial"))["granted"]
            assert (await call("trial", "only-report"))["reason"] == "TrialTaken"
            await call("report", outcome="success")
        await cluster.until(lambda: state() is BreakerState.CLOSED, 5)
    assert cluster.read_breaker().status.trial is None


async def test_one_failure_in_a_trial_opens_the_breaker_again(cluster: Cluster, world: World):
    cluster.external()
    cluster.report("all", failures=5, epoch=99)
    async with cluster.operator():
        await cluster.until(lambda: cluster.read_breaker().status.state is BreakerState.CLOSED)
        cluster.report("gateway", failures=5)
        await cluster.until(lambda: cluster.read_breaker().status.state is BreakerState.HALF_OPEN, 60)
        async with world.caller() as client:
            body = {"service_name": "db", "outcome": "failure"}
            answer = await client.post("/api/recovery/circuit-breaker/report", json=body)
        assert answer.json()["consecutive_failures"] == 1
        await cluster.until(lambda: cluster.read_breaker().status.state is BreakerState.OPEN, 5)
    assert cluster.read_breaker().status.reopen_count == 1
