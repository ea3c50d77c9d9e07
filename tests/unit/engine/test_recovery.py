"""The main job on in-memory twins: from the first bad observation to the end of the run."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.engine.world import NS, POLICY, World
from ultra_recovery.apis.policy_status import IncidentState
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase
from ultra_recovery.core.objects import Key, Kind

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
WEB = Key(Kind.DEPLOYMENT, NS, "web")


def evictions(api) -> list[str]:
    return [request.name for request in api.requests if request.verb == "evict" and request.result == "ok"]


async def test_a_hung_pod_is_evicted_and_the_run_succeeds():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    before = world.uids()
    victim = sorted(before)[0]
    async with world.operator() as api:
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, victim), False)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].completed)
        run = world.runs()[0]
        assert (run.status.phase, run.status.reason) == (RunPhase.SUCCEEDED, Reason.VERIFIED)
        assert evictions(api) == [victim]
    after = world.uids()
    assert len(set(before.values()) & set(after.values())) == 2
    step = run.status.steps[0]
    assert [(effect.object, effect.outcome) for effect in step.effects] == [(victim, EffectOutcome.EVICTED)]
    assert step.effects[0].intent_at <= step.effects[0].outcome_at <= step.effects[0].settled_at
    times = [
        run.status.fault_observed_at,
        run.status.detected_at,
        run.status.started_at,
        run.status.recovered_at,
        run.status.finished_at,
    ]
    assert times == sorted(times)
    assert not world.store.leases.keys() - {("ultra-recovery", "ultra-recovery-leader")}


async def test_after_minHealthyPeriod_the_incident_closes():  # noqa: N802 - the field's name
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.policy()
    async with world.operator():
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: _incident(world) is IncidentState.ACTIVE)
        await world.until(lambda: _incident(world) is IncidentState.OBSERVING)
        took = await world.until(lambda: _incident(world) is IncidentState.CLOSED)
    assert took >= 59
    assert len(world.runs()) == 1


def _incident(world: World) -> IncidentState | None:
    incident = world.read_policy().status.incident
    return incident.state if incident else None


async def test_a_healthy_fleet_costs_no_write():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    world.breaker()
    async with world.operator() as api:
        await world.clock.sleep(20)
        seen = len(api.requests)
        await world.clock.sleep(300)
        later = [request for request in api.requests[seen:] if request.verb == "status"]
    assert later == []


async def test_all_replicas_hung_are_replaced_one_by_one():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    before = world.uids()
    async with world.operator() as api:
        await world.clock.sleep(5)
        for name in before:
            world.workloads.set_ready(Key(Kind.POD, NS, name), False)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].completed)
        assert sorted(evictions(api)) == sorted(before)
    run = world.runs()[0]
    assert run.status.phase is RunPhase.SUCCEEDED
    effects = run.status.steps[0].effects
    for first, second in itertools.pairwise(effects):
        assert first.settled_at <= second.intent_at


async def test_a_disruption_budget_makes_the_run_wait_and_say_so():
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.policy()
    world.store.budgets[NS] = None
    before = world.uids()
    async with world.operator():
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(before)[0]), False)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].status.reason == Reason.POD_DISRUPTION_BUDGET)
        await world.clock.sleep(20)
        assert world.uids() == before
        del world.store.budgets[NS]
        await world.until(lambda: world.runs()[0].completed)
    assert world.runs()[0].status.phase is RunPhase.SUCCEEDED


async def test_a_budget_that_never_gives_way_cancels_the_run_before_its_deadline():
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.policy()
    world.store.budgets[NS] = None
    async with world.operator():
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].completed, seconds=400)
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, Reason.POD_DISRUPTION_BUDGET)
    assert not run.had_effect
    assert (run.status.finished_at - run.status.started_at).total_seconds() <= 300


async def test_three_attempts_then_a_human_then_a_reset():
    world = World()
    world.workloads.ready_after = None
    world.workloads.deployment(NS, "web", 2)
    world.policy(
        triggers=[{"name": "pods", "podUnhealthy": {"startupGrace": "5s"}, "for": "1s"}],
        ladder=[{"name": "restart", "action": {"restartPods": {}}, "timeout": "10s"}],
        verify={"healthyFor": "2s", "within": "5s"},
    )
    async with world.operator():
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: _condition(world, ConditionType.NEEDS_HUMAN) == "True", seconds=400)
        assert [run.status.phase for run in world.runs()] == [RunPhase.FAILED] * 3
        await world.clock.sleep(120)
        assert len(world.runs()) == 3
        world.workloads.ready_after = 1.0
        world.reset(POLICY, "1")
        await world.until(lambda: len(world.runs()) == 4 and world.runs()[-1].completed, seconds=200)
        assert world.runs()[-1].status.phase is RunPhase.SUCCEEDED
        await world.until(lambda: _condition(world, ConditionType.NEEDS_HUMAN) is None)


def _condition(world: World, kind: ConditionType) -> str | None:
    return next((item.status for item in world.read_policy().status.conditions if item.type == kind), None)


async def test_a_run_that_was_interrupted_after_the_eviction_goes_on_without_a_second_one():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    victim = sorted(world.uids())[0]
    async with world.operator("one") as first:
        await world.clock.sleep(5)
        world.workloads.set_ready(Key(Kind.POD, NS, victim), False)
        await world.until(lambda: bool(evictions(first)))
    async with world.operator("two") as second:
        await world.until(lambda: world.runs()[0].completed)
        assert evictions(second) == []
    assert world.runs()[0].status.phase is RunPhase.SUCCEEDED
    assert len(world.runs()) == 1


async def test_a_missing_target_stalls_the_policy_and_creating_it_heals_that():
    world = World()
    world.policy()
    async with world.operator():
        await world.until(lambda: _condition(world, ConditionType.STALLED) == "True")
        world.workloads.deployment(NS, "web", 2)
        await world.until(lambda: _condition(world, ConditionType.READY) == "True")
    assert _condition(world, ConditionType.STALLED) is None


async def test_while_the_api_server_is_gone_nothing_is_done_and_afterwards_all_is_caught_up():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    async with world.operator() as api:
        await world.clock.sleep(5)
        api.faults.outage = True
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.clock.sleep(60)
        assert world.runs() == []
        api.faults.outage = False
        await world.until(lambda: bool(world.runs()) and world.runs()[0].completed)
    assert world.runs()[0].status.phase is RunPhase.SUCCEEDED


async def test_a_pod_that_never_gets_ready_is_noticed_when_its_grace_is_over_although_nothing_else_happens():
    world = World()
    world.workloads.ready_after = None
    world.workloads.deployment(NS, "web", 3)
    world.policy(triggers=[{"name": "pods", "podUnhealthy": {"startupGrace": "60s"}, "for": "2s"}])
    async with world.operator():
        await world.clock.sleep(3)
        world.workloads.scale(WEB, 4)
        took = await world.until(lambda: world.read_policy().status.incident is not None)
    assert 62 <= took < 64
