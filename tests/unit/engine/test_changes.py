"""What changes during a run, row by row; on in-memory twins."""

from __future__ import annotations

import pytest

from tests.unit.engine.test_requests import ALL, ended, ill, ready_world
from tests.unit.engine.world import POLICY, WEB
from ultra_recovery.apis.meta import CANCEL_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import RunPhase, StepResult
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_target_that_is_recreated_during_a_run_ends_it():
    world = ready_world()
    world.workloads.ready_after = None
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await world.until(lambda: bool(world.runs()) and bool(world.runs()[0].status.steps[:1]))
        world.store.remove(WEB)
        run = await ended(world, world.runs()[0].meta.key)
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, Reason.TARGET_GONE)


async def test_a_rollout_by_somebody_else_makes_the_run_inconclusive_and_scaling_does_not():
    for change, reason in (("rollout", Reason.TARGET_CHANGED), ("scale", Reason.VERIFIED)):
        world = ready_world()
        async with world.operator():
            await world.clock.sleep(3)
            ill(world)
            await world.until(lambda world=world: any(run.had_effect for run in world.runs()))
            if change == "rollout":
                world.workloads.start_rollout(WEB)
            else:
                world.workloads.scale(WEB, 3)
            run = await ended(world, world.runs()[0].meta.key)
        assert run.status.reason == reason, change


@pytest.mark.parametrize("how", ["paused", "deleted", "cancelled"])
async def test_a_run_that_is_stopped_finishes_and_verifies_its_step_first(how: str):
    world = ready_world()
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await world.until(lambda: any(run.had_effect for run in world.runs()))
        key = world.runs()[0].meta.key
        if how == "paused":
            world.policy(mode="Paused")
        elif how == "deleted":
            world.store.remove(POLICY)
        else:
            world.annotate(key, CANCEL_ANNOTATION, "now")
        run = await ended(world, key)
    assert run.status.phase is RunPhase.SUCCEEDED
    assert run.status.steps[0].result is StepResult.VERIFIED


async def test_an_override_of_the_breaker_that_fired_ends_the_run_before_its_next_step():
    world = ready_world(
        triggers=[{"name": "db", "circuitOpen": {"breaker": "db"}}],
        ladder=[ALL, {**ALL, "name": "again"}],
        verify={"healthyFor": "5s", "within": "20s"},
    )
    world.breaker()
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator() as api:
        await world.until(lambda: any(run.had_effect for run in world.runs()))
        world.breaker(override={"state": "Disabled", "reason": "we are on it"})
        run = await ended(world, world.runs()[0].meta.key)
        evictions = [request for request in api.requests if request.verb == "evict" and request.result == "ok"]
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, Reason.OVERRIDDEN)
    assert len(evictions) <= 2


async def test_an_edited_policy_counts_for_the_next_run_only():
    world = ready_world()
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await world.until(lambda: any(run.had_effect for run in world.runs()))
        world.policy(ladder=[{**ALL, "name": "edited"}])
        run = await ended(world, world.runs()[0].meta.key)
    assert [step.name for step in run.status.steps] == ["restart"]
