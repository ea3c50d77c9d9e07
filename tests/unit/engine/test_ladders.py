"""Ladders that escalate: Jobs, hooks, messages, undo; on in-memory twins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.engine.world import NS, World
from ultra_recovery.adapters.memory.jobs import JobPlan, add_cron_job
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase, StepResult
from ultra_recovery.core.call import CallOutcome, Delivery
from ultra_recovery.core.notices import Topic
from ultra_recovery.core.objects import Key, Kind

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

RESTART = {"name": "restart", "action": {"restartPods": {}}, "timeout": "10s"}
JOB = {"name": "repair", "action": {"runJob": {"cronJobName": "repair"}}, "timeout": "20s"}
PAGE = {
    "name": "page",
    "action": {"notify": {"message": "see the runbook", "webhook": {"serviceRef": {"name": "relay", "port": 80}}}},
    "timeout": "10s",
}
SHORT = {"healthyFor": "1s", "within": "4s"}


def hook(**fields: Any) -> dict[str, Any]:
    endpoint = {"serviceRef": {"name": "web", "port": 80}, "path": "/reset", **fields}
    return {"name": "hook", "action": {"callHook": endpoint}, "timeout": "10s"}


def stubborn(*ladder: dict[str, Any]) -> World:
    """A Deployment whose new pods never get Ready, and a policy with this ladder."""
    world = World()
    world.workloads.ready_after = None
    world.workloads.deployment(NS, "web", 2)
    add_cron_job(world.store, NS, "repair")
    world.policy(
        ladder=list(ladder),
        verify=SHORT,
        triggers=[{"name": "pods", "podUnhealthy": {"startupGrace": "2s"}, "for": "1s"}],
    )
    return world


async def break_and_wait(world: World, pods: int = 1) -> None:
    await world.clock.sleep(3)
    for name in sorted(world.uids())[:pods]:
        world.workloads.set_ready(Key(Kind.POD, NS, name), False)
    await world.until(lambda: bool(world.runs()) and world.runs()[0].completed, seconds=200)


def results(world: World) -> list[tuple[str, StepResult | None]]:
    return [(step.name, step.result) for step in world.runs()[0].status.steps]


def heal(world: World) -> None:
    for name in world.uids():
        world.workloads.set_ready(Key(Kind.POD, NS, name), True)


async def test_when_eviction_does_not_help_the_ladder_escalates_to_a_job():
    world = stubborn(RESTART, JOB)
    world.jobs.usual = JobPlan(after=2.0, message='{"changed": true, "message": "cache repaired"}')
    async with world.operator():
        await world.clock.sleep(3)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: bool(world.store.jobs), 200)
        await world.clock.sleep(2)
        heal(world)
        await world.until(lambda: world.runs()[0].completed)
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.SUCCEEDED, Reason.VERIFIED)
    assert results(world) == [("restart", StepResult.UNVERIFIED), ("repair", StepResult.VERIFIED)]
    assert "cache repaired" in (run.status.steps[1].evidence or "")
    assert len(world.store.jobs) == 1


async def test_a_job_that_changed_nothing_is_no_attempt_and_the_next_rung_follows():
    world = stubborn(JOB, hook())
    world.jobs.usual = JobPlan(after=1.0, message='{"changed": false}')
    async with world.operator():
        await break_and_wait(world)
    step = world.runs()[0].status.steps[0]
    assert (step.result, step.effect_count) == (StepResult.NOTHING_TO_DO, 0)
    assert results(world)[1][0] == "hook"


async def test_a_job_that_fails_is_an_error_and_says_so():
    world = stubborn(JOB)
    world.jobs.usual = JobPlan(after=1.0, succeeds=False, message="no space left")
    async with world.operator():
        await break_and_wait(world)
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.ERROR, Reason.EFFECT_FAILED)
    assert run.had_effect


async def test_on_error_stop_ends_the_run():
    world = stubborn({**JOB, "onError": "Stop"}, RESTART)
    world.jobs.usual = JobPlan(after=1.0, succeeds=False)
    async with world.operator():
        await break_and_wait(world)
    assert results(world) == [("repair", StepResult.ERROR)]
    assert world.runs()[0].status.phase is RunPhase.ERROR


async def test_a_job_that_did_not_help_is_taken_back_by_a_second_one_with_a_name_of_its_own():
    undo = {"cronJobName": "repair", "undo": {"cronJobName": "restore"}}
    world = stubborn({"name": "repair", "action": {"runJob": undo}, "timeout": "20s"})
    add_cron_job(world.store, NS, "restore")
    world.jobs.usual = JobPlan(after=1.0)
    async with world.operator():
        await break_and_wait(world)
    run, jobs = world.runs()[0], sorted(world.store.jobs.values(), key=lambda job: job["metadata"]["creationTimestamp"])
    assert [job["metadata"]["ownerReferences"][0]["name"] for job in jobs] == ["repair", "restore"]
    assert run.status.phase is RunPhase.FAILED
    assert "taken back" in (run.status.steps[0].message or "")


async def test_a_cron_job_that_is_not_suspended_is_refused_with_what_to_do():
    world = stubborn({"name": "repair", "action": {"runJob": {"cronJobName": "live"}}, "timeout": "20s"})
    add_cron_job(world.store, NS, "live", suspend=False)
    async with world.operator():
        await break_and_wait(world)
    step = world.runs()[0].status.steps[0]
    assert (step.result, step.effect_count) == (StepResult.ERROR, 0)
    assert "suspend" in (step.message or "")
    assert world.store.jobs == {}


async def test_a_hook_is_called_once_with_its_key_and_what_it_is_about():
    world = stubborn(hook())
    async with world.operator():
        await break_and_wait(world)
    (made,) = world.caller.calls
    call = made.call
    body = json.loads(call.body)
    assert (body["policy"], body["step"], body["target"]["name"]) == ("web", "hook", "web")
    assert call.headers["Idempotency-Key"] == world.runs()[0].status.steps[0].effects[0].id


@pytest.mark.parametrize(
    ("outcome", "result", "phase"),
    [
        pytest.param(CallOutcome.REFUSED, StepResult.ERROR, RunPhase.ERROR, id="it says no"),
        pytest.param(CallOutcome.UNKNOWN, StepResult.UNKNOWN, RunPhase.INCONCLUSIVE, id="no answer: never repeated"),
    ],
)
async def test_what_a_hook_that_fails_makes_of_the_run(outcome, result, phase):
    world = stubborn(hook(), RESTART)
    world.caller.set("web", outcome)
    async with world.operator():
        await break_and_wait(world)
    assert len(world.caller.calls) == 1
    assert results(world)[0] == ("hook", result)
    if result is StepResult.UNKNOWN:
        assert world.runs()[0].status.phase is phase


async def test_an_idempotent_hook_is_called_again_until_it_answers():
    world = stubborn(hook(idempotent=True))
    world.caller.then("web", [CallOutcome.UNKNOWN] * 2)
    async with world.operator():
        await break_and_wait(world)
    keys = {made.call.headers["Idempotency-Key"] for made in world.caller.calls}
    assert (len(world.caller.calls), len(keys)) == (3, 1)
    assert world.runs()[0].status.steps[0].effects[0].outcome is EffectOutcome.CALLED


async def test_a_hook_whose_caller_died_is_never_called_again():
    world = stubborn(hook())
    world.caller.set("web", CallOutcome.DONE, delay=4.0)
    async with world.operator("one"):
        await world.clock.sleep(3)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: bool(world.caller.calls))
    async with world.operator("two"):
        await world.until(lambda: world.runs()[0].completed)
    assert len(world.caller.calls) == 1
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.INCONCLUSIVE, Reason.OUTCOME_UNKNOWN)


async def test_people_are_told_once_per_incident_and_cause_although_three_attempts_fail():
    world = stubborn(RESTART, PAGE)
    async with world.operator():
        await world.clock.sleep(3)
        world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)
        await world.until(lambda: len(world.runs()) == 3 and world.runs()[2].completed, seconds=300)
    (message,) = world.messenger.messages
    assert message.data["cause"] == Reason.STEP_TIMEOUT
    assert message.data["message"] == "see the runbook"
    assert [run.status.phase for run in world.runs()] == [RunPhase.FAILED] * 3
    told = [notice for notice in world.sink.notices if notice.reason is Reason.NOTIFIED]
    assert [notice.key.kind for notice in told if notice.topic is Topic.NOTIFICATION] == [Kind.POLICY]


async def test_a_webhook_that_is_down_never_decides_a_run():
    world = stubborn(RESTART, PAGE)
    world.messenger.result = Delivery.FAILED
    async with world.operator():
        await break_and_wait(world)
    assert results(world)[1] == ("page", StepResult.ERROR)
    assert world.runs()[0].status.phase is RunPhase.FAILED
    assert any(notice.reason is Reason.NOTIFICATION_FAILED for notice in world.sink.notices)
