"""Policies that depend on an external target: what reports forbid them, and that nobody waits for a probe of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.world import WEB, World
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.objects import Key, Kind

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


@pytest.fixture
def world() -> World:
    return World()


async def visited(world: World) -> None:
    await world.until(lambda: world.read_breaker().status.state is BreakerState.CLOSED)


def blocked(world: World) -> str | None:
    found = [item for item in world.read_policy().status.conditions if item.type == ConditionType.BLOCKED]
    return found[0].reason if found else None


def depend(world: World, **spec: Any) -> Key:
    """Web depends on the external target, and one of its pods hangs."""
    world.workloads.deployment("shop", "web", 3)
    world.policy(dependencies=[{"breaker": "db"}], **spec)
    return world.workloads.pods(WEB)[0]


async def test_a_dependency_that_nobody_reports_of_neither_vetoes_nor_is_waited_for(world: World):
    pod = depend(world)
    world.external()
    async with world.operator():
        await visited(world)
        world.workloads.set_ready(pod, False)
        await world.until(lambda: any(run.had_effect for run in world.runs()), 30)
    assert world.prober.calls == []


@pytest.mark.failure(
    of="Dependency",
    what="Callers report that an external dependency fails",
    see="no pod of its users is restarted while the newest report is a failure",
    bound="reports of the last minute",
)
async def test_the_newest_report_vetoes_while_it_is_a_failure_and_not_silent(world: World):
    pod = depend(world)
    world.external()
    async with world.operator():
        await visited(world)
        world.report("a", failures=1)
        await world.clock.sleep(1)
        world.workloads.set_ready(pod, False)
        await world.until(lambda: blocked(world) == Reason.DEPENDENCY_OPEN, 30)
        await world.clock.sleep(20)
        assert world.runs() == []
        world.report("b", successes=1)
        await world.until(lambda: any(run.had_effect for run in world.runs()), 30)


async def test_the_veto_of_a_report_ends_when_it_is_a_minute_old(world: World):
    pod = depend(world)
    world.external()
    async with world.operator():
        await visited(world)
        world.report("a", failures=1)
        world.workloads.set_ready(pod, False)
        took = await world.until(lambda: any(run.had_effect for run in world.runs()), 90)
    assert 55 <= took <= 75


async def test_reports_that_change_nothing_for_policies_make_none_of_them_write(world: World):
    depend(world)
    world.external()
    async with world.operator():
        await visited(world)
        world.report("a", failures=1)
        await world.clock.sleep(5)
        seen: list[Key] = []
        world.store.control(lambda kind, document, deleted: seen.append(kind) if kind is Kind.POLICY else None)
        for count in range(2, 5):
            world.report("a", failures=count)
            await world.clock.sleep(1)
        assert seen == []


def ask(world: World) -> None:
    """A person asks for a run of the policy."""
    world.put(Kind.RUN, "by-hand", {"policyName": "web", "cause": "Manual", "requestedBy": "somebody"})


@pytest.mark.parametrize(
    ("last", "verified"),
    [
        pytest.param(None, True, id="nobody reports"),
        pytest.param({"successes": 1}, True, id="the newest report is a success"),
        pytest.param({}, True, id="the newest report is neutral"),
        pytest.param({"failures": 1}, False, id="the newest report is a failure"),
    ],
)
async def test_a_run_by_hand_is_verified_unless_somebody_says_something_against_a_dependency(
    world: World, last: dict[str, int] | None, verified: bool
):
    pod = depend(world, mode="Manual")
    world.external()
    async with world.operator():
        await visited(world)
        world.workloads.set_ready(pod, False)
        await world.clock.sleep(1)
        ask(world)
        run = Key(Kind.RUN, "shop", "by-hand")
        await world.until(lambda: world.run(run).had_effect, 30)
        if last is not None:
            world.report("a", **last)
        await world.until(lambda: world.run(run).completed, 60)
        assert (world.run(run).status.phase == "Succeeded") is verified
