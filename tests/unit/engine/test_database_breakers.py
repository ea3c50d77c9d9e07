"""What a breaker makes of what probes of a database say; on in-memory twins."""

from __future__ import annotations

import pytest

from tests.unit.engine.test_database import TARGET, ended, figures, shop, step
from tests.unit.engine.world import BREAKER, WEB, World
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.apis.run_status import StepResult
from ultra_recovery.core.notices import Topic
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def database() -> World:
    world = World()
    world.breaker(target=TARGET, probe={"interval": "2s", "timeout": "1s", "trialInterval": "1s"})
    world.prober.set("db", Outcome.SUCCESS, figures=figures(world))
    return world


def condition(world: World, kind: ConditionType) -> tuple[str, str]:
    found = next(item for item in world.read_breaker().status.conditions if item.type == kind)
    return found.status, found.reason


@pytest.mark.parametrize(
    "reason", [Reason.CREDENTIALS_REFUSED, Reason.SECRET_NOT_ALLOWED, Reason.SECRET_FORBIDDEN, Reason.TARGET_INVALID]
)
async def test_what_only_a_person_can_mend_never_moves_the_breaker_and_is_told_once(reason: Reason):
    world = database()
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.ERROR, reason=reason, message="do something about it", permanent=True)
        await world.clock.sleep(60)
        assert condition(world, ConditionType.READY) == ("False", reason)
        assert condition(world, ConditionType.TARGET_HEALTHY) == ("Unknown", reason)
        assert world.read_breaker().status.state is BreakerState.CLOSED
        assert world.sink.reasons(Topic.ENFORCEMENT).count(reason) == 1
        world.prober.set("db", Outcome.SUCCESS, figures=figures(world))
        await world.until(lambda: condition(world, ConditionType.READY)[0] == "True")


@pytest.mark.parametrize("reason", [Reason.EXHAUSTED, Reason.WRONG_NODE, Reason.PROBE_FAILED])
async def test_why_a_database_failed_is_the_reason_that_its_breaker_is_open_for(reason: Reason):
    world = database()
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.FAILURE, reason=reason, message="it said no")
        await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN)
        assert world.read_breaker().status.reason == reason
        assert condition(world, ConditionType.CIRCUIT_OPEN) == ("True", reason)
        assert condition(world, ConditionType.TARGET_HEALTHY) == ("False", reason)


async def test_a_trial_that_fails_for_lack_of_connections_says_so():
    world = database()
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.FAILURE)
        await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN)
        world.prober.set("db", Outcome.SUCCESS, figures=figures(world))
        await world.until(lambda: world.read_breaker().status.state is BreakerState.HALF_OPEN)
        world.prober.set("db", Outcome.FAILURE, reason=Reason.EXHAUSTED)
        await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN)
        assert world.read_breaker().status.reason == Reason.EXHAUSTED


async def test_a_reset_keeps_the_figures():
    world = database()
    async with world.operator():
        await world.clock.sleep(5)
        world.reset(world.read_breaker().meta.key, "1")
        await world.until(lambda: world.read_breaker().status.reason == Reason.RESET)
        assert world.read_breaker().status.pool is not None


async def test_a_server_that_died_since_the_last_probe_gets_no_job():
    """What an old probe said proves nothing: a pool action asks the server right before it begins."""
    world = shop(step("refreshPool"), triggers=[{"name": "pods", "podUnhealthy": {}, "for": "1s"}])
    world.breaker(target=TARGET, probe={"interval": "1h", "timeout": "1s", "trialInterval": "1s"})
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.FAILURE)
        world.workloads.set_ready(world.workloads.pods(WEB)[0], False)
        await world.until(lambda: ended(world))
    assert not world.jobs.created
    assert world.runs()[0].status.steps[0].result is StepResult.NOTHING_TO_DO


@pytest.mark.parametrize("alive", [True, False])
async def test_a_leader_that_has_just_begun_asks_the_server_before_it_decides_on_a_step(alive: bool):
    world = shop(step("refreshPool"), triggers=[{"name": "pods", "podUnhealthy": {}, "for": "1s"}])
    world.breaker(target=TARGET, probe={"interval": "1h", "timeout": "9s", "trialInterval": "1s"})
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.SUCCESS, delay=8.0)
        world.workloads.set_ready(world.workloads.pods(WEB)[0], False)
        await world.until(lambda: bool(world.runs()) and bool(world.runs()[0].status.steps))
    assert not world.jobs.created
    world.prober.set("db", Outcome.SUCCESS if alive else Outcome.FAILURE, delay=2.0)
    async with world.operator("two"):
        await world.until(lambda: ended(world))
    assert len(world.jobs.created) == (1 if alive else 0)


async def test_a_breaker_that_is_gone_is_not_waited_for():
    world = shop(step("refreshPool"), triggers=[{"name": "pods", "podUnhealthy": {}, "for": "1s"}])
    world.breaker(target=TARGET, probe={"interval": "1h", "timeout": "9s", "trialInterval": "1s"})
    async with world.operator():
        await world.clock.sleep(5)
        world.prober.set("db", Outcome.SUCCESS, delay=8.0)
        world.workloads.set_ready(world.workloads.pods(WEB)[0], False)
        await world.until(lambda: bool(world.runs()) and bool(world.runs()[0].status.steps))
        world.store.remove(BREAKER)
        took = await world.until(lambda: ended(world))
    assert took < 20
    assert not world.jobs.created
