"""Breakers at work on in-memory twins."""

from __future__ import annotations

import pytest

from tests.unit.engine.world import BREAKER, World
from ultra_recovery.adapters.memory import MemoryApi
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


async def test_a_restarted_operator_writes_nothing_to_a_breaker_whose_target_is_as_it_was():
    world = World()
    world.breaker()
    async with world.operator("one"):
        await world.clock.sleep(30)
    async with world.operator("two") as api:
        await world.clock.sleep(30)
        assert [request for request in api.requests if request.verb == "status"] == []
    conditions = {item.type: item.status for item in world.read_breaker().status.conditions}
    assert conditions[ConditionType.TARGET_HEALTHY] == "True"


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


def writes(api: MemoryApi) -> int:
    return sum(request.verb == "status" and request.kind == "CircuitBreaker" for request in api.requests)


async def test_a_healthy_breaker_writes_nothing():
    world = World()
    world.breaker(window={"time": {"duration": "10s"}, "minimumCalls": 3, "slowCall": {}})
    async with world.operator() as api:
        await world.clock.sleep(20)
        begin = writes(api)
        await world.clock.sleep(600)
        assert writes(api) == begin


async def test_the_figures_of_the_window_are_written_when_its_bad_calls_change_and_not_for_the_good_ones():
    world = World()
    world.breaker(window={"count": {"size": 20}, "minimumCalls": 20})
    async with world.operator() as api:
        await world.clock.sleep(20)
        world.prober.then("db", [Outcome.FAILURE])
        await world.until(lambda: world.read_breaker().status.window is not None)
        assert world.read_breaker().status.window.failed == 1
        begin = writes(api)
        await world.clock.sleep(25)
        assert writes(api) <= begin + 1, "the failure in a row is over"
        await world.until(lambda: world.read_breaker().status.window is None)


@pytest.mark.parametrize(
    ("interval", "seconds", "most"),
    [pytest.param("2s", 200, 21, id="fast probes"), pytest.param("30s", 600, 21, id="slow probes")],
)
@pytest.mark.parametrize("target", ["down", "up, too early", "in error now and then"])
async def test_a_breaker_that_stays_open_writes_at_most_once_in_ten_seconds_and_once_per_probe(
    interval: str, seconds: int, most: int, target: str
):
    world = World()
    world.breaker(
        probe={"interval": interval, "timeout": "1s"}, failureThreshold=1, recoveryTimeout="30m", openMax="30m"
    )
    world.prober.set("db", Outcome.FAILURE, delay=0.5)
    async with world.operator() as api:
        await world.until(lambda: state(world) is BreakerState.OPEN)
        if target == "up, too early":
            world.prober.set("db", Outcome.SUCCESS, delay=0.5)
        if target == "in error now and then":
            world.prober.then("db", [Outcome.ERROR, Outcome.FAILURE, Outcome.FAILURE] * 100)
            most = 2 * most
        await world.clock.sleep(10)
        begin = writes(api)
        await world.clock.sleep(seconds)
        assert writes(api) - begin <= most
        assert state(world) is BreakerState.OPEN
        assert world.read_breaker().status.next_probe_at is not None


async def test_a_slow_target_opens_it_by_its_slow_call_rate_with_the_figures():
    world = World()
    world.breaker(
        probe={"interval": "2s", "timeout": "2s"},
        window={"count": {"size": 5}, "minimumCalls": 5, "slowCall": {"duration": "500ms", "ratePercent": 60}},
    )
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.SUCCESS, delay=1.0)
        await world.until(lambda: state(world) is BreakerState.OPEN)
        status = world.read_breaker().status
    assert status.reason == Reason.SLOW_CALL_RATE_REACHED
    assert status.message == "3 of the last 5 calls took longer than 500ms: 60 %, the limit is 60 %"
    assert status.window is None


async def test_a_restart_forgets_the_window_and_opens_nothing():
    world = World()
    world.breaker(failureThreshold=100, window={"count": {"size": 10}, "minimumCalls": 10})
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator("one"):
        await world.until(lambda: world.read_breaker().status.consecutive_failures >= 5)
    world.prober.set("db", Outcome.SUCCESS)
    async with world.operator("two"):
        await world.clock.sleep(60)
        assert state(world) is BreakerState.CLOSED
        assert world.read_breaker().status.epoch == 0


async def test_a_trial_begins_its_time_anew_when_nobody_probed_for_a_while():
    world = World()
    world.breaker(halfOpenTimeout="20s", successThreshold=50)
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator("one"):
        await world.until(lambda: state(world) is BreakerState.OPEN)
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: state(world) is BreakerState.HALF_OPEN)
    epoch = world.read_breaker().status.epoch
    await world.clock.sleep(120)
    async with world.operator("two"):
        await world.clock.sleep(10)
        assert (state(world), world.read_breaker().status.epoch) == (BreakerState.HALF_OPEN, epoch)
        await world.until(lambda: world.read_breaker().status.reason == Reason.TRIAL_TIMEOUT)


async def test_a_trial_does_not_time_out_while_the_target_cannot_be_asked():
    world = World()
    world.breaker(halfOpenTimeout="5s", successThreshold=3)
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await world.until(lambda: state(world) is BreakerState.OPEN)
        world.prober.then("db", [Outcome.SUCCESS])
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: world.prober.calls != [] and state(world) is BreakerState.HALF_OPEN)
        world.prober.set("db", Outcome.ERROR)
        await world.clock.sleep(60)
        assert state(world) is BreakerState.HALF_OPEN
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: state(world) is BreakerState.CLOSED, seconds=10)


async def test_a_probe_that_is_slower_than_the_interval_is_waited_for():
    world = World()
    world.breaker(probe={"interval": "1s", "timeout": "30s"})
    world.prober.set("db", Outcome.SUCCESS, delay=20.0)
    async with world.operator():
        await world.clock.sleep(70)
    assert world.prober.most_active == 1
    assert len(world.prober.calls) == 4


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
