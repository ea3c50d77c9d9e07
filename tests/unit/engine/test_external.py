"""Breakers that are fed by their callers' reports, at work on in-memory twins."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from tests.unit.engine.world import BREAKER, World
from ultra_recovery.adapters.memory import MemoryApi
from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerStatus
from ultra_recovery.apis.meta import format_time
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@pytest.fixture
def world() -> World:
    return World()


def status(world: World) -> CircuitBreakerStatus:
    return world.read_breaker().status


def healthy(world: World) -> tuple[str, str]:
    (found,) = [item for item in status(world).conditions if item.type == ConditionType.TARGET_HEALTHY]
    return found.status, found.reason


async def reaches(world: World, state: BreakerState, seconds: float = 120.0) -> float:
    return await world.until(lambda: status(world).state is state, seconds)


def writes(api: MemoryApi) -> int:
    return sum(item.verb == "status" and item.kind == "CircuitBreaker" for item in api.requests)


def hand_trial(world: World, seconds: float = 30.0) -> None:
    """What the API does: write the trial into the status."""
    trial = {"holder": "a", "until": format_time(world.clock.now() + timedelta(seconds=seconds))}
    world.store.change(BREAKER, lambda item: item["status"].__setitem__("trial", trial))


async def opened(world: World) -> None:
    world.report("a", failures=5)
    await reaches(world, OPEN)


async def test_reports_open_it_at_once_time_offers_the_trial_and_successes_close_it(world: World):
    world.external()
    async with world.operator():
        await reaches(world, CLOSED)
        world.report("a", failures=4)
        await world.clock.sleep(3)
        assert status(world).state is CLOSED
        world.report("a", failures=5)
        assert await reaches(world, OPEN) < 0.5
        assert status(world).message == "1 reporter has at least 5 failures in a row, the last: a: answered 505"
        assert (status(world).target, status(world).next_probe_at) == ("external", None)
        assert 9.5 <= await reaches(world, HALF_OPEN) <= 11.5
        hand_trial(world)
        world.report("a", successes=2)
        await world.clock.sleep(5)
        assert status(world).state is HALF_OPEN
        assert status(world).trial is not None
        world.report("b", successes=1)
        assert await reaches(world, CLOSED) < 0.5
        assert status(world).trial is None
    assert world.prober.calls == []


async def test_a_quorum_is_a_number_of_reporters_and_may_be_changed_in_place(world: World):
    world.breaker(target={"external": {"quorum": 2}})
    async with world.operator():
        await reaches(world, CLOSED)
        world.report("a", failures=50)
        await world.clock.sleep(5)
        assert (status(world).state, status(world).epoch) == (CLOSED, 0)
        world.breaker(target={"external": {"quorum": 1}})
        await reaches(world, OPEN)
        assert (status(world).epoch, status(world).reason) == (1, Reason.REPORT_FAILED)


async def test_silence_moves_nothing_in_any_state_and_shows_as_unknown(world: World):
    world.breaker(target={"external": {"quorum": 2}}, halfOpenTimeout="2m")
    async with world.operator() as api:
        await reaches(world, CLOSED)
        world.report("a", failures=9)
        await world.clock.sleep(30)
        assert healthy(world) == ("False", Reason.REPORT_FAILED)
        await world.clock.sleep(31)
        assert healthy(world) == ("Unknown", Reason.NO_REPORTS)
        world.report("b", failures=9)
        await world.clock.sleep(300)
        assert (status(world).state, status(world).epoch) == (CLOSED, 0)
        world.report("a", failures=9)
        world.report("b", failures=10)
        await reaches(world, HALF_OPEN)
        epoch = status(world).epoch
        world.report("a", successes=1)
        await world.clock.sleep(10)
        assert status(world).half_open_deadline is not None
        before = writes(api)
        await world.clock.sleep(3600)
        assert (status(world).state, status(world).epoch) == (HALF_OPEN, epoch)
        assert (status(world).half_open_deadline, writes(api)) == (None, before + 1)


async def test_without_a_report_a_half_open_breaker_stays_so_with_the_trial_free(world: World):
    world.external(halfOpenTimeout="20s")
    async with world.operator() as api:
        await reaches(world, CLOSED)
        await opened(world)
        await reaches(world, HALF_OPEN)
        epoch = status(world).epoch
        world.report("a", failures=99, epoch=epoch - 1)
        world.report("b")
        await world.clock.sleep(75)
        before = writes(api)
        await world.clock.sleep(3600)
        assert (status(world).state, status(world).epoch, writes(api)) == (HALF_OPEN, epoch, before)
        world.report("a", failures=1)
        await reaches(world, OPEN)
        assert (status(world).reason, status(world).reopen_count) == (Reason.TRIAL_FAILED, 1)


async def test_a_trial_that_somebody_reports_of_ends_without_a_decision_in_its_time(world: World):
    world.external(halfOpenTimeout="20s", successThreshold=100)
    async with world.operator():
        await reaches(world, CLOSED)
        await opened(world)
        await reaches(world, HALF_OPEN)
        await world.clock.sleep(100)
        world.report("a", successes=1)
        assert 19 <= await reaches(world, OPEN) <= 21
        assert (status(world).reason, status(world).reopen_count) == (Reason.TRIAL_TIMEOUT, 0)


async def test_a_reset_closes_it_and_reporters_count_anew(world: World):
    world.external()
    async with world.operator():
        await reaches(world, CLOSED)
        await opened(world)
        world.reset(BREAKER, "1")
        await reaches(world, CLOSED)
        await world.clock.sleep(5)
        assert (status(world).state, status(world).unconfirmed) == (CLOSED, True)
        world.report("a", successes=1)
        await world.until(lambda: not status(world).unconfirmed)
        await opened(world)


async def test_a_restart_takes_up_state_trial_and_reports(world: World):
    world.external()
    async with world.operator("one"):
        await reaches(world, CLOSED)
        world.report("a", failures=4)
    world.report("a", failures=5)
    async with world.operator("two"):
        await reaches(world, OPEN)
    await world.clock.sleep(60)
    async with world.operator("three"):
        assert await reaches(world, HALF_OPEN) < 20
        hand_trial(world)
    trial = status(world).trial
    async with world.operator("four"):
        await world.clock.sleep(20)
        assert (status(world).state, status(world).trial) == (HALF_OPEN, trial)


async def test_a_healthy_steady_state_writes_nothing_however_often_callers_report(world: World):
    world.external()
    async with world.operator() as api:
        await reaches(world, CLOSED)
        world.report("a", successes=1)
        await world.clock.sleep(15)
        assert healthy(world) == ("True", Reason.REPORT_SUCCEEDED)
        before = writes(api)
        for count in range(2, 302):
            world.report("a", successes=count)
            await world.clock.sleep(1)
        assert writes(api) == before
        await world.clock.sleep(61)
        assert healthy(world)[0] == "Unknown"
        assert writes(api) == before + 1
        await world.clock.sleep(3600)
        assert writes(api) == before + 1


async def test_what_reporters_wrote_stays_to_the_letter(world: World):
    world.external()
    odd = [
        {"name": "old", "epoch": 0, "lastOutcome": "Success", "reportedAt": "2026-01-01T00:00:00+01:00"},
        {"name": "newer", "epoch": 0, "lastOutcome": "Throttled", "reportedAt": "2026-01-01T00:00:00Z", "more": 1},
    ]
    async with world.operator():
        await reaches(world, CLOSED)
        world.store.change(BREAKER, lambda item: item["status"].__setitem__("reporters", copy.deepcopy(odd)))
        await opened(world)
        await reaches(world, HALF_OPEN)
        found = world.store.find(BREAKER)["status"]["reporters"]
    assert found[:2] == odd
    assert status(world).epoch == 2


@pytest.mark.parametrize("watch_delay", [0.0, 0.3], ids=["a fast watch", "a slow watch"])
async def test_many_reporters_hold_back_no_transition_and_cause_no_storm_of_writes(world: World, watch_delay: float):
    world.external(failureThreshold=50)
    world.store.watch_delay = watch_delay
    async with world.operator() as api:
        api.latency = 0.005
        await reaches(world, CLOSED)
        for count in range(400):
            world.report(f"r{count % 20}", failures=1 + count // 20, epoch=0)
            await world.clock.sleep(0.02)
        assert status(world).state is CLOSED
        world.report("worst", failures=50, epoch=0)
        for count in range(20):
            world.report(f"r{count}", failures=30, epoch=0)
            await world.clock.sleep(0.02)
        await reaches(world, OPEN, seconds=0.6)
        assert writes(api) < 20


async def test_a_target_that_becomes_external_is_not_probed_any_more_and_the_other_way_round(world: World):
    world.breaker()
    async with world.operator():
        await world.clock.sleep(5)
        world.external()
        await world.until(lambda: status(world).epoch == 1)
        probes = len(world.prober.calls)
        await world.clock.sleep(60)
        assert len(world.prober.calls) == probes
        await opened(world)
        world.breaker()
        await reaches(world, CLOSED)
        await world.clock.sleep(5)
        assert len(world.prober.calls) > probes
        world.report("a", failures=99)
        await world.clock.sleep(5)
        assert status(world).state is CLOSED


@pytest.mark.parametrize(
    ("over", "state", "health"),
    [
        ("ForcedOpen", OPEN, "False"),
        ("Disabled", CLOSED, "Unknown"),
        ("MetricsOnly", CLOSED, "False"),
    ],
)
async def test_an_override_stands_above_reports(world: World, over: str, state: BreakerState, health: str):
    world.external(override={"state": over}, recoveryTimeout="60s")
    async with world.operator():
        await world.until(lambda: status(world).override is not None)
        epoch = status(world).epoch
        world.report("a", failures=9)
        await world.clock.sleep(11)
        assert (status(world).state, status(world).epoch, healthy(world)[0]) == (state, epoch, health)
        would = status(world).would_be
        assert (would.state if would is not None else None) is (OPEN if over == "MetricsOnly" else None)
    assert world.prober.calls == []


async def test_a_probe_never_answers_for_an_external_target(world: World):
    world.external()
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await world.clock.sleep(120)
        assert (status(world).state, healthy(world)) == (CLOSED, ("Unknown", Reason.NO_REPORTS))
    assert world.prober.calls == []
