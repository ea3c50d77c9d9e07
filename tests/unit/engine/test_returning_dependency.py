"""A dependency comes back: its users get time to recover by themselves; on in-memory twins."""

from __future__ import annotations

import pytest

from tests.unit.engine.test_rails import DEPENDS, ill
from tests.unit.engine.world import NS, World
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_pods_that_recover_with_their_dependency_are_never_restarted():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker(probe={"interval": "60s", "timeout": "1s", "trialInterval": "1s"})
    world.policy(**DEPENDS)
    before = world.uids()
    async with world.operator():
        await world.clock.sleep(3)
        world.prober.set("db", Outcome.FAILURE)
        ill(world, 2)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].status.reason == Reason.DEPENDENCY_OPEN)
        world.prober.set("db", Outcome.SUCCESS)
        await world.clock.sleep(8)
        for name in before:
            world.workloads.set_ready(Key(Kind.POD, NS, name), True)
        await world.until(lambda: world.runs()[0].completed)
    assert world.uids() == before
    assert world.runs()[0].status.reason == Reason.SELF_RECOVERED


async def test_pods_that_do_not_recover_with_their_dependency_are_restarted():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker(probe={"interval": "60s", "timeout": "1s", "trialInterval": "1s"})
    world.policy(**DEPENDS)
    async with world.operator():
        await world.clock.sleep(3)
        world.prober.set("db", Outcome.FAILURE)
        ill(world, 2)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].status.reason == Reason.DEPENDENCY_OPEN)
        world.prober.set("db", Outcome.SUCCESS)
        back = world.clock.now()
        await world.until(lambda: any(run.had_effect for run in world.runs()))
    assert 10 <= (world.clock.now() - back).total_seconds() < 20
