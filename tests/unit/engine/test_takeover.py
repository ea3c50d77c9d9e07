"""A leader dies, another goes on: the same end; on in-memory twins."""

from __future__ import annotations

import pytest

from tests.unit.engine.world import NS, World
from ultra_recovery.adapters.memory import Request
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase
from ultra_recovery.core.errors import Conflict
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


@pytest.mark.parametrize("hung", [1, 3])
async def test_an_operator_that_starts_anew_goes_on_with_the_run_although_it_knows_nothing_of_the_time_before(
    hung: int,
):
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    victims = sorted(world.uids())[:hung]
    async with world.operator():
        await world.clock.sleep(5)
        for name in victims:
            world.workloads.set_ready(Key(Kind.POD, NS, name), False)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].status.phase is RunPhase.RUNNING)
    async with world.operator():
        await world.until(lambda: bool(world.runs()) and world.runs()[0].completed)
    run = world.runs()[0]
    assert run.status.phase is RunPhase.SUCCEEDED, run.status
    assert run.status.steps[0].effect_count == hung


async def test_a_lease_that_somebody_wrote_in_between_is_given_back_all_the_same():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    async with world.operator() as api:
        await world.clock.sleep(5)
        api.faults.fail_at(1, error=lambda: Conflict("touched"), match=lambda request: request.verb == "delete")
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].completed)
        await world.clock.sleep(1)
    assert not world.store.leases.keys() - {("ultra-recovery", "ultra-recovery-leader")}


async def test_what_is_deleted_before_the_watch_begins_is_no_ghost_for_half_a_minute():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    world.store.watch_delay = None
    async with world.operator() as api:
        await world.clock.sleep(5)
        lists = [request.time for request in api.requests if (request.verb, request.kind) == ("list", Kind.POD)]
        assert len([moment for moment in lists if moment - lists[0] > 1]) == 1
        await world.clock.sleep(20)
        assert len([request for request in api.requests if (request.verb, request.kind) == ("list", Kind.POD)]) == len(
            lists
        )


@pytest.mark.parametrize("requests", [1, 2, 3, 4, 5])
async def test_a_run_whose_leader_died_before_it_acted_is_not_taken_for_one_without_a_cause(requests: int):
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    async with world.operator() as api:
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        api.latency = 0.2
        await world.until(lambda: bool(world.runs()))
        await world.clock.sleep(0.2 * requests)
    async with world.operator():
        await world.until(lambda: world.runs()[0].completed)
    assert [run.status.phase for run in world.runs()] == [RunPhase.SUCCEEDED]


async def test_a_leader_that_died_before_the_breaker_heard_of_the_proof_costs_no_second_run():
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.breaker()
    world.policy(
        triggers=[{"name": "db", "circuitOpen": {"breaker": "db"}}],
        ladder=[{"name": "restart", "action": {"restartPods": {"pods": "All"}}, "timeout": "30s"}],
        limits={"interval": "1s", "cooldown": "1s", "minHealthyPeriod": "30s"},
        verify={"healthyFor": "1s", "within": "10s"},
    )
    async with world.operator("one") as api:
        await world.clock.sleep(3)
        world.prober.set("db", Outcome.FAILURE)
        await world.until(lambda: any(run.had_effect for run in world.runs()))
        world.prober.set("db", Outcome.SUCCESS)
        # The breaker's trial is never written: the process dies at that write.
        api.faults.crash_at(1, match=lambda request: request.kind == "CircuitBreaker" and world.runs()[0].completed)
        await world.until(lambda: world.runs()[0].completed and api.faults.dead)
    assert world.runs()[0].status.phase is RunPhase.SUCCEEDED
    async with world.operator("two"):
        await world.until(lambda: world.read_breaker().status.state == "Closed")
        await world.clock.sleep(60)
    assert len(world.runs()) == 1


@pytest.mark.parametrize("kind", [Kind.DEPLOYMENT, Kind.STATEFUL_SET])
async def test_an_eviction_whose_record_was_refused_counts_as_ours_although_the_pod_is_gone_when_it_is_repeated(kind):
    world = World()
    make = world.workloads.deployment if kind is Kind.DEPLOYMENT else world.workloads.stateful_set
    web = make(NS, "web", 3)
    world.workloads.terminate_after = 0.0
    world.policy(targetRef={"kind": kind.value, "name": "web"})
    async with world.operator() as api:
        await world.clock.sleep(5)
        api.latency = 0.2
        world.workloads.set_ready(world.workloads.pods(web)[0], False)
        await world.until(lambda: bool(world.runs()))
        # What happens from now on is seen late, and the record of the eviction is refused.
        world.store.watch_delay = 3.0

        def is_outcome(request: Request) -> bool:
            evicted = any(item.verb == "evict" for item in api.requests)
            return request.kind == Kind.RUN and request.verb == "status" and evicted

        api.faults.fail_at(1, match=is_outcome)
        await world.until(lambda: world.runs()[0].completed)
    run = world.runs()[0]
    assert [effect.outcome for effect in run.status.steps[0].effects] == [EffectOutcome.EVICTED]
    assert run.had_effect


async def test_the_second_replica_is_warm_and_probes_within_a_second_of_leading():
    world = World()
    world.breaker(probe={"interval": "30s", "timeout": "1s"})
    async with world.operator("two"):
        await world.clock.sleep(0.5)
        async with world.operator("one"):
            await world.clock.sleep(60)
        leader = world.store.leases["ultra-recovery", "ultra-recovery-leader"].holder
        assert leader == "two"
    async with world.operator("three") as standby:
        await world.clock.sleep(5)
        kinds = {request.kind for request in standby.requests if request.verb == "list"}
        assert kinds == {str(kind) for kind in Kind}
        asked = len(world.prober.calls)
        lease = ("ultra-recovery", "ultra-recovery-leader")
        await world.until(lambda: world.store.leases[lease].holder == "three")
        took = await world.until(lambda: len(world.prober.calls) > asked)
        assert took <= 1.1


async def test_a_leader_without_an_api_server_stops_its_probes_with_its_right_to_act():
    world = World()
    world.breaker(probe={"interval": "2s", "timeout": "1s"})
    async with world.operator() as api:
        await world.clock.sleep(20)
        api.faults.outage = True
        lost = world.clock.boottime()
        await world.clock.sleep(60)
        last = max(call.time for call in world.prober.calls)
        assert lost + 5 < last <= lost + 10.1
        api.faults.outage = False
        await world.clock.sleep(5)
        assert max(call.time for call in world.prober.calls) > last
