"""Breakers at work on in-memory twins."""

from __future__ import annotations

import pytest

from tests.unit.engine.world import BREAKER, World
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def state(world: World) -> BreakerState | None:
    return world.read_breaker().status.state


async def test_it_opens_at_the_fifth_failure_and_closes_after_the_third_success_of_the_trial():
    world = World()
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        world.prober.set("db", Outcome.FAILURE)
        begin = len(world.prober.calls)
        await world.until(lambda: state(world) is BreakerState.OPEN)
        assert len(world.prober.calls) - begin == 5
        assert world.read_breaker().status.consecutive_failures == 5
        world.prober.set("db", Outcome.SUCCESS)
        took = await world.until(lambda: state(world) is BreakerState.HALF_OPEN)
        assert 9 <= took <= 12
        begin = len(world.prober.calls)
        await world.until(lambda: state(world) is BreakerState.CLOSED)
        assert len(world.prober.calls) - begin == 3


async def test_a_restarted_operator_finds_the_breaker_open_as_it_was():
    world = World()
    world.breaker()
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator("one"):
        await world.until(lambda: state(world) is BreakerState.OPEN)
    epoch = world.read_breaker().status.epoch
    async with world.operator("two"):
        await world.clock.sleep(30)
        assert state(world) is BreakerState.OPEN
        assert world.read_breaker().status.epoch == epoch


async def test_the_same_reset_value_fires_once():
    world = World()
    world.breaker()
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await world.until(lambda: state(world) is BreakerState.OPEN)
        world.prober.set("db", Outcome.SUCCESS)
        world.reset(BREAKER, "1")
        await world.until(lambda: state(world) is BreakerState.CLOSED)
        await world.until(lambda: not world.read_breaker().status.unconfirmed)
        world.prober.set("db", Outcome.FAILURE)
        await world.until(lambda: state(world) is BreakerState.OPEN)
        epoch = world.read_breaker().status.epoch
        world.reset(BREAKER, "1")
        world.annotate(BREAKER, "touched", "again")
        await world.clock.sleep(8)
        assert world.read_breaker().status.epoch == epoch
    assert world.read_breaker().status.last_handled_reset_at == "1"


async def test_an_object_seen_first_adopts_its_annotation_without_firing():
    world = World()
    world.breaker()
    world.reset(BREAKER, "old")
    async with world.operator():
        await world.until(lambda: state(world) is BreakerState.CLOSED)
        await world.clock.sleep(5)
    status = world.read_breaker().status
    assert (status.epoch, status.last_handled_reset_at) == (0, "old")


async def test_an_error_never_moves_it_and_stalls_it_until_it_is_mended():
    world = World()
    world.breaker()
    world.prober.set("db", Outcome.ERROR, reason=Reason.TARGET_NOT_FOUND, message="Service db does not exist")
    async with world.operator():
        await world.clock.sleep(60)
        conditions = {item.type: item for item in world.read_breaker().status.conditions}
        assert state(world) is BreakerState.CLOSED
        assert conditions[ConditionType.STALLED].reason == Reason.TARGET_NOT_FOUND
        assert conditions[ConditionType.TARGET_HEALTHY].status == "Unknown"
        world.prober.set("db", Outcome.SUCCESS)
        await world.clock.sleep(15)
        conditions = {item.type: item for item in world.read_breaker().status.conditions}
    assert ConditionType.STALLED not in conditions
    assert conditions[ConditionType.READY].status == "True"


async def test_a_reset_does_not_wait_for_a_slow_probe():
    world = World()
    world.breaker(probe={"interval": "20s", "timeout": "10s", "trialInterval": "1s"})
    world.prober.set("db", Outcome.FAILURE, delay=9.0)
    async with world.operator():
        await world.until(lambda: state(world) is BreakerState.OPEN, seconds=300)
        epoch = world.read_breaker().status.epoch
        world.reset(BREAKER, "1")
        took = await world.until(lambda: world.read_breaker().status.epoch == epoch + 1)
    assert took < 1


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        pytest.param(Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, id="healthy"),
        pytest.param(Outcome.FAILURE, Reason.PROBE_FAILED, id="unhealthy"),
        pytest.param(Outcome.ERROR, Reason.TARGET_NOT_FOUND, id="cannot be probed"),
    ],
)
async def test_the_first_thing_known_of_a_new_breakers_target_is_shown_at_once(outcome: Outcome, reason: Reason):
    world = World()
    world.prober.set("db", outcome, reason=Reason.TARGET_NOT_FOUND if outcome is Outcome.ERROR else None)
    async with world.operator():
        await world.clock.sleep(3)
        world.breaker()
        took = await world.until(lambda: healthy_reason(world) == reason)
    assert took < 3


def healthy_reason(world: World) -> str | None:
    conditions = world.read_breaker().status.conditions
    return next((item.reason for item in conditions if item.type == ConditionType.TARGET_HEALTHY), None)
