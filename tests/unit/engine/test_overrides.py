"""Overrides at work on in-memory twins: begin, end, restart in between, and what policies see of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.engine.world import BREAKER, World
from ultra_recovery.adapters.memory.workloads import Workloads
from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerStatus
from ultra_recovery.apis.meta import format_time
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.notices import Topic
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@pytest.fixture
def world() -> World:
    return World()


def status(world: World) -> CircuitBreakerStatus:
    return world.read_breaker().status


def condition(world: World, kind: ConditionType) -> tuple[str, str]:
    (found,) = [item for item in status(world).conditions if item.type == kind]
    return found.status, found.reason


def override(world: World, state: str | None, seconds: float | None = None, **fields: Any) -> None:
    """Set, change or remove the override; it ends after so many seconds."""
    until = world.clock.now() + timedelta(seconds=seconds) if seconds is not None else None
    value = {"state": state, "reason": "migration"} | ({"until": format_time(until)} if until else {})
    world.breaker(**fields, **({"override": value} if state else {}))


async def enforced(world: World, state: str) -> None:
    def so() -> bool:
        found = status(world).override
        return found is not None and found.state == state

    await world.until(so)


async def test_forced_open_stays_open_whatever_the_probes_say_and_ends_in_a_trial(world: World):
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        override(world, "ForcedOpen", 60)
        took = await world.until(lambda: status(world).state is OPEN)
        assert took < 1
        epoch, probes = status(world).epoch, len(world.prober.calls)
        await world.clock.sleep(50)
        found = status(world)
        assert (found.state, found.epoch, found.reason) == (OPEN, epoch, Reason.FORCED_OPEN)
        assert found.override.reason == "migration"
        assert len(world.prober.calls) - probes >= 20
        assert condition(world, ConditionType.TARGET_HEALTHY) == ("True", Reason.PROBE_SUCCEEDED)
        await world.until(lambda: status(world).state is HALF_OPEN)
        assert status(world).reason == Reason.OVERRIDE_EXPIRED
        assert status(world).override is None
        await world.until(lambda: status(world).state is CLOSED)
        assert status(world).epoch == epoch + 2
    told = world.sink.reasons(Topic.BREAKER_TRANSITION)
    assert told == [Reason.FORCED_OPEN, Reason.OVERRIDE_EXPIRED, Reason.TRIAL_SUCCEEDED]


async def test_disabled_is_closed_and_not_probed_and_proves_nothing_when_it_ends(world: World):
    world.breaker()
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await world.until(lambda: status(world).state is OPEN)
        override(world, "Disabled")
        await enforced(world, "Disabled")
        probes = len(world.prober.calls)
        await world.clock.sleep(60)
        assert len(world.prober.calls) == probes
        assert status(world).state is CLOSED
        assert status(world).next_probe_at is None
        assert condition(world, ConditionType.TARGET_HEALTHY) == ("Unknown", Reason.DISABLED)
        assert condition(world, ConditionType.READY) == ("True", Reason.ENFORCED)
        override(world, None)
        await world.until(lambda: status(world).override is None)
        assert (status(world).state, status(world).reason) == (CLOSED, Reason.OVERRIDE_REMOVED)
        assert status(world).unconfirmed
        took = await world.until(lambda: status(world).state is OPEN)
        assert 3 <= took <= 7, "probed at once, then at trialInterval"


async def test_metrics_only_stays_closed_and_shows_what_it_would_be(world: World):
    override(world, "MetricsOnly")
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await enforced(world, "MetricsOnly")
        epoch = status(world).epoch
        await world.until(lambda: status(world).would_be.state is OPEN)
        assert (status(world).state, status(world).epoch) == (CLOSED, epoch)
        assert status(world).would_be.reason == Reason.PROBE_FAILED
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: status(world).would_be.state is HALF_OPEN)
        await world.until(lambda: status(world).would_be.state is CLOSED)
        override(world, None)
        await world.until(lambda: status(world).would_be is None)
        assert status(world).state is CLOSED
    told = [notice.message for notice in world.sink.of(Topic.BREAKER_NOTE)]
    assert [message.split(": ")[1] for message in told] == ["Closed → Open", "Open → HalfOpen", "HalfOpen → Closed"]


async def test_what_it_would_be_survives_a_restart(world: World):
    override(world, "MetricsOnly")
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator("one"):
        await world.until(lambda: status(world).would_be is not None and status(world).would_be.state is OPEN)
    before = status(world).would_be
    async with world.operator("two"):
        await world.clock.sleep(30)
        after = status(world).would_be
        assert (after.state, after.since, after.trial_at) == (OPEN, before.since, before.trial_at)


@pytest.mark.parametrize("state", ["ForcedOpen", "Disabled", "MetricsOnly"])
@pytest.mark.parametrize("gap", [-5, 0, 5], ids=["before its end", "exactly at its end", "after its end"])
async def test_an_override_survives_a_restart_and_ends_once(world: World, state: str, gap: int):
    world.breaker()
    async with world.operator("one"):
        await world.clock.sleep(3)
        override(world, state, 30)
        await enforced(world, state)
    epoch, until = status(world).epoch, status(world).override.until
    await world.clock.sleep((until - world.clock.now()).total_seconds() + gap)
    async with world.operator("two"):
        await world.until(lambda: status(world).override is None)
        assert world.clock.now() >= until
        assert status(world).epoch == epoch + 1
        assert status(world).state is (HALF_OPEN if state == "ForcedOpen" else CLOSED)
        assert status(world).reason == Reason.OVERRIDE_EXPIRED
    assert world.sink.reasons().count(Reason.OVERRIDE_EXPIRED) == 1


async def test_a_restart_during_an_override_changes_nothing(world: World):
    world.breaker()
    async with world.operator("one"):
        await world.clock.sleep(3)
        override(world, "ForcedOpen")
        await enforced(world, "ForcedOpen")
    before = status(world)
    async with world.operator("two"):
        await world.clock.sleep(30)
        after = status(world)
    assert (after.epoch, after.since, after.override) == (before.epoch, before.since, before.override)


@pytest.mark.parametrize("state", ["ForcedOpen", "Disabled", "MetricsOnly"])
async def test_a_reset_is_refused_while_an_override_is_in_force_and_never_fires_later(world: World, state: str):
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        override(world, state)
        await enforced(world, state)
        epoch = status(world).epoch
        world.reset(BREAKER, "1")
        await world.until(lambda: status(world).last_handled_reset_at == "1")
        assert (status(world).epoch, status(world).override.state) == (epoch, state)
        override(world, None)
        await world.until(lambda: status(world).override is None)
        await world.clock.sleep(20)
    assert world.sink.reasons().count(Reason.RESET_REFUSED) == 1
    assert Reason.RESET not in world.sink.reasons()


async def test_an_override_that_is_over_when_it_is_applied_changes_nothing_and_says_so_once(world: World):
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        override(world, "ForcedOpen", -1)
        await world.clock.sleep(20)
        assert (status(world).state, status(world).epoch, status(world).override) == (CLOSED, 0, None)
    assert world.sink.reasons().count(Reason.OVERRIDE_EXPIRED) == 1


async def test_an_override_from_the_first_moment_holds_before_any_probe(world: World):
    override(world, "Disabled")
    async with world.operator():
        await world.clock.sleep(30)
        assert status(world).state is CLOSED
    assert world.prober.calls == []


async def test_a_later_end_is_taken_over_without_a_new_epoch(world: World):
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        override(world, "ForcedOpen", 20)
        await enforced(world, "ForcedOpen")
        before = status(world)
        override(world, "ForcedOpen", 60)
        await world.clock.sleep(40)
        after = status(world)
        assert (after.state, after.epoch, after.override.since) == (OPEN, before.epoch, before.override.since)
        override(world, "ForcedOpen", -1)
        await world.until(lambda: status(world).state is HALF_OPEN)


async def test_a_changed_target_under_an_override_forgets_the_old_one_and_stays_overridden(world: World):
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        override(world, "ForcedOpen")
        await enforced(world, "ForcedOpen")
        epoch = status(world).epoch
        override(world, "ForcedOpen", target={"http": {"serviceRef": {"name": "other", "port": 80}}})
        await world.until(lambda: status(world).epoch == epoch + 1)
        assert status(world).state is OPEN
        await world.until(lambda: world.prober.calls[-1].target == "other")


@pytest.mark.parametrize("state", ["ForcedOpen", "Disabled", "MetricsOnly"])
async def test_an_override_never_fires_a_trigger(world: World, state: str):
    Workloads(world.store).deployment("shop", "web", 2)
    trigger = {"name": "db", "circuitOpen": {"breaker": "db"}, "for": "1s"}
    world.policy(triggers=[trigger])
    override(world, state)
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await world.clock.sleep(60)
        assert world.runs() == []
        assert world.read_policy().status.incident is None


async def test_an_override_neither_starts_nor_ends_an_incident(world: World):
    Workloads(world.store).deployment("shop", "web", 2)
    world.policy(triggers=[{"name": "db", "circuitOpen": {"breaker": "db"}}])
    world.breaker()
    world.prober.set("db", Outcome.FAILURE)

    def incident() -> str | None:
        found = world.read_policy().status.incident
        return found.state if found is not None else None

    async with world.operator():
        await world.until(lambda: incident() == "Active")
        override(world, "Disabled")
        await enforced(world, "Disabled")
        await world.clock.sleep(120)
        assert incident() == "Active"
