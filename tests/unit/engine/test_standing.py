"""Where everything stands, as gauges show it: on in-memory twins, in virtual time."""

from __future__ import annotations

import pytest

from tests.unit.engine.world import NS, WEB, World
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.standing import BreakerStanding, PolicyStanding

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
APPROVED = {"name": "all", "action": {"restartPods": {"pods": "All"}}, "timeout": "60s", "approval": {"within": "10m"}}


def breaker_of(world: World) -> BreakerStanding:
    (found,) = world.engine.standing().breakers
    return found


def policy_of(world: World) -> PolicyStanding:
    (found,) = world.engine.standing().policies
    return found


async def open_breaker(world: World) -> None:
    world.prober.set("db", Outcome.FAILURE)
    await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN)


async def test_a_breaker_is_open_since_it_left_closed_however_often_it_tries_in_vain():
    world = World()
    world.breaker(successThreshold=100)
    async with world.operator():
        await world.clock.sleep(3)
        assert (breaker_of(world).state, breaker_of(world).open_since) == (BreakerState.CLOSED, None)
        await open_breaker(world)
        first = world.read_breaker().status.since
        assert breaker_of(world).open_since == first
        assert breaker_of(world).failures == 5
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: breaker_of(world).state is BreakerState.HALF_OPEN)
        await open_breaker(world)
        assert breaker_of(world).open_since == first != world.read_breaker().status.since


async def test_a_breaker_that_closes_and_one_that_is_deleted_are_not_open_any_more():
    world = World()
    world.breaker()
    async with world.operator():
        await open_breaker(world)
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: world.read_breaker().status.state is BreakerState.CLOSED)
        assert breaker_of(world).open_since is None
        await open_breaker(world)
        world.store.remove(Key(Kind.BREAKER, NS, "db"))
        await world.clock.sleep(1)
        assert world.engine.standing().breakers == []
        world.prober.set("db", Outcome.SUCCESS)
        world.breaker()
        await world.clock.sleep(5)
        assert breaker_of(world).open_since is None


async def test_a_breaker_that_a_person_holds_open_is_no_service_that_is_down():
    world = World()
    world.breaker(override={"state": "ForcedOpen", "reason": "drill"})
    async with world.operator():
        await world.until(lambda: world.read_breaker().status.state is BreakerState.OPEN)
        assert breaker_of(world).open_since is None


async def test_a_breaker_that_cannot_be_probed_is_stalled():
    world = World()
    world.breaker()
    async with world.operator():
        await world.clock.sleep(3)
        world.prober.set("db", Outcome.ERROR)
        await world.until(lambda: breaker_of(world).stalled)
        world.prober.set("db", Outcome.SUCCESS)
        await world.until(lambda: not breaker_of(world).stalled)


async def test_a_target_without_a_ready_replica_is_unavailable_until_one_is():
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.policy(mode="Manual")
    async with world.operator():
        await world.clock.sleep(3)
        assert policy_of(world).unavailable_since is None
        first, second = world.workloads.pods(WEB)
        world.workloads.set_ready(first, False)
        await world.clock.sleep(3)
        assert policy_of(world).unavailable_since is None
        world.workloads.set_ready(second, False)
        down_at = world.clock.now()
        await world.clock.sleep(40)
        assert policy_of(world).unavailable_since == down_at
        world.workloads.set_ready(first, True)
        await world.clock.sleep(1)
        assert policy_of(world).unavailable_since is None


async def test_a_target_that_nobody_wants_any_replica_of_is_not_unavailable():
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.policy()
    async with world.operator():
        world.workloads.scale(WEB, 0)
        await world.clock.sleep(10)
        assert policy_of(world).unavailable_since is None


async def test_a_policy_shows_its_run_the_gate_that_refuses_and_that_a_human_is_needed():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy(mode="Manual")
    async with world.operator():
        await world.clock.sleep(3)
        assert (policy_of(world).gate, policy_of(world).blocked_since) == ("", None)
        world.workloads.ready_after = None
        world.workloads.set_ready(world.workloads.pods(WEB)[0], False)
        await world.until(lambda: policy_of(world).gate == "Manual")
        decided = world.read_policy().status.last_decision
        assert decided is not None
        assert policy_of(world).blocked_since == decided.time
        grace = [{"name": "pods", "podUnhealthy": {"startupGrace": "2s"}, "for": "1s"}]
        world.policy(triggers=grace, limits={"maxAttempts": 1, "interval": "1s", "cooldown": "1s"})
        await world.until(lambda: policy_of(world).run_began_at is not None)
        assert policy_of(world).active == 1
        assert policy_of(world).run_began_at == world.runs()[0].status.started_at
        await world.until(lambda: policy_of(world).needs_human, 400)
        assert (policy_of(world).active, policy_of(world).run_began_at) == (0, None)


async def test_a_run_does_not_grow_old_while_it_waits_for_a_person():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy(ladder=[APPROVED])
    async with world.operator():
        await world.clock.sleep(3)
        world.workloads.set_ready(world.workloads.pods(WEB)[0], False)
        await world.until(lambda: policy_of(world).awaiting == 1)
        assert policy_of(world).run_began_at is None
        await world.clock.sleep(200)
        (run,) = world.runs()
        world.annotate(run.meta.key, "recovery.ultra.dev/approve", "all")
        await world.until(lambda: world.runs()[0].status.phase is RunPhase.RUNNING)
        began = policy_of(world).run_began_at
        assert began is not None
        assert (world.clock.now() - began).total_seconds() < 10


async def test_only_the_leader_says_where_things_stand_and_the_next_one_knows_since_when():
    world = World()
    world.breaker(successThreshold=100)
    async with world.operator("one"):
        first = world.engine
        async with world.operator("two"):
            second = world.engine
            await world.clock.sleep(3)
            assert (len(first.standing().breakers), len(second.standing().breakers)) == (1, 0)
            assert set(first.standing().queue_lags) == {"breakers", "policies", "runs"}
            assert max(first.standing().queue_lags.values()) < 1.0
            await open_breaker(world)
            since = world.read_breaker().status.since
            world.prober.set("db", Outcome.SUCCESS)
            await world.until(lambda: world.read_breaker().status.state is BreakerState.HALF_OPEN)
            (kept,) = second._standing.read().breakers
            assert kept.open_since == since
