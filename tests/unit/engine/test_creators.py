"""Where creators are checked, a policy does what its ServiceAccount may do, and nothing else; on in-memory twins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.engine.world import CREATE_JOBS, EVICT, NS, POLICY, WEB, World
from ultra_recovery.adapters.memory.jobs import add_cron_job
from ultra_recovery.apis.meta import Condition
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.errors import Forbidden
from ultra_recovery.core.objects import Kind
from ultra_recovery.core.rights import Account, forbidden
from ultra_recovery.engine.creators import ALLOWED_FOR, DENIED_FOR, FRESH, UNKNOWN_FOR

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

NAMED = {"serviceAccountName": "healer"}
RESTART = {"name": "restart", "action": {"restartPods": {}}, "timeout": "60s"}
REPAIR = {"name": "repair", "action": {"runJob": {"cronJobName": "repair"}}, "timeout": "30s"}
HOOK = {
    "name": "hook",
    "action": {"callHook": {"serviceRef": {"name": "web", "port": 80}, "path": "/heal"}},
    "timeout": "20s",
}


@pytest.fixture
def world() -> World:
    world = World()
    world.workloads.deployment(NS, "web", 3)
    return world


def sicken(world: World) -> None:
    world.workloads.set_ready(world.workloads.pods(WEB)[0], False)


def condition(world: World, kind: ConditionType) -> Condition | None:
    return next((item for item in world.read_policy().status.conditions if item.type == kind), None)


def stalled(world: World) -> str:
    found = condition(world, ConditionType.STALLED)
    return found.reason if found is not None else ""


async def test_a_policy_whose_account_may_do_what_its_ladder_does_acts(world: World):
    world.check_creators(EVICT)
    world.policy(**NAMED)
    async with world.operator():
        await world.clock.sleep(3)
        sicken(world)
        await world.until(lambda: any(run.status.phase is RunPhase.SUCCEEDED for run in world.runs()))


async def test_without_the_check_no_account_is_asked_for(world: World):
    world.policy()
    async with world.operator():
        await world.clock.sleep(3)
        sicken(world)
        await world.until(lambda: any(run.status.phase is RunPhase.SUCCEEDED for run in world.runs()))


@pytest.mark.parametrize(
    ("rights", "ladder", "missing"),
    [
        pytest.param((), [RESTART], ["create pods/eviction"], id="may not evict"),
        pytest.param((EVICT,), [RESTART, REPAIR], ["create jobs.batch"], id="may not create Jobs"),
        pytest.param((), [REPAIR, RESTART], ["create jobs.batch", "create pods/eviction"], id="may do neither"),
    ],
)
async def test_a_policy_whose_account_lacks_a_right_is_stalled_and_prints_what_would_grant_it(
    world: World, rights: Any, ladder: Any, missing: list[str]
):
    world.check_creators(*rights)
    add_cron_job(world.store, NS, "repair")
    world.policy(ladder=ladder, limits={"timeout": "300s"}, **NAMED)
    async with world.operator() as api:
        await world.until(lambda: stalled(world) == Reason.FORBIDDEN)
        sicken(world)
        await world.clock.sleep(60)
    assert world.runs() == []
    assert not [request for request in api.requests if request.verb == "evict"]
    told = condition(world, ConditionType.READY)
    assert told is not None
    assert (told.status, told.reason) == ("False", Reason.FORBIDDEN)
    assert f"ServiceAccount healer may not {' and '.join(missing)} in namespace shop" in told.message
    manifest = json.loads(told.message.partition("apply: ")[2])
    role, binding = manifest["items"]
    assert [f"{rule['verbs'][0]} {rule['resources'][0]}" for rule in role["rules"]] == [
        word.removesuffix(".batch") for word in missing
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "healer", "namespace": NS}]


async def test_a_manifest_that_does_not_fit_into_a_message_is_left_out():
    problem = forbidden(Account("n" * 63, "a" * 253), [CREATE_JOBS, EVICT])
    assert len(problem.message) <= 1024
    assert "apiVersion" not in problem.message


async def test_a_policy_that_names_nobody_is_stalled_and_says_what_to_set(world: World):
    world.check_creators(EVICT)
    world.policy()
    async with world.operator():
        await world.until(lambda: stalled(world) == Reason.SERVICE_ACCOUNT_UNSET)
        sicken(world)
        await world.clock.sleep(60)
        assert world.runs() == []
        assert "spec.serviceAccountName" in (condition(world, ConditionType.STALLED) or Condition).message
        world.policy(**NAMED)
        await world.until(lambda: any(run.status.phase is RunPhase.SUCCEEDED for run in world.runs()))


async def test_a_ladder_that_touches_nothing_in_the_cluster_needs_an_account_but_no_right(world: World):
    world.check_creators()
    world.policy(ladder=[HOOK], **NAMED)
    async with world.operator():
        await world.clock.sleep(3)
        sicken(world)
        await world.until(lambda: bool(world.runs()))
    assert world.reviewer is not None
    assert world.reviewer.asked == []


async def test_a_right_that_is_granted_is_noticed_within_seconds(world: World):
    reviewer = world.check_creators()
    world.policy(**NAMED)
    async with world.operator():
        await world.until(lambda: stalled(world) == Reason.FORBIDDEN)
        reviewer.rights = {(Account(NS, "healer").username, EVICT, NS)}
        await world.until(lambda: stalled(world) == "", DENIED_FOR + 2)


async def test_a_right_that_is_withdrawn_is_noticed_although_nothing_happens(world: World):
    reviewer = world.check_creators(EVICT)
    world.policy(**NAMED)
    async with world.operator():
        await world.clock.sleep(3)
        reviewer.rights.clear()
        await world.until(lambda: stalled(world) == Reason.FORBIDDEN, ALLOWED_FOR + 2)


async def test_a_right_that_was_withdrawn_since_the_last_look_starts_nothing(world: World):
    reviewer = world.check_creators(EVICT)
    world.policy(**NAMED)
    async with world.operator():
        await world.clock.sleep(FRESH + 5)
        reviewer.rights.clear()
        sicken(world)
        await world.until(lambda: stalled(world) == Reason.FORBIDDEN, 10)
        await world.clock.sleep(60)
    assert world.runs() == []


async def test_a_right_that_is_withdrawn_between_two_steps_stops_the_second(world: World):
    """The first step evicts, and the replacement never gets Ready; then the account may not create Jobs any more."""
    reviewer = world.check_creators(EVICT, CREATE_JOBS)
    add_cron_job(world.store, NS, "repair")
    world.workloads.ready_after = None
    world.policy(ladder=[{**RESTART, "timeout": "10s"}, REPAIR], limits={"timeout": "120s"}, **NAMED)
    async with world.operator() as api:
        await world.clock.sleep(3)
        sicken(world)
        await world.until(lambda: any(request.verb == "evict" for request in api.requests))
        reviewer.rights = {(Account(NS, "healer").username, EVICT, NS)}
        await world.until(lambda: all(run.completed for run in world.runs()), 200)
    run = world.runs()[0]
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, Reason.FORBIDDEN)
    assert not world.store.jobs


async def test_while_nobody_can_say_nothing_is_done_and_the_reason_is_shown(world: World):
    reviewer = world.check_creators(EVICT)
    world.policy(**NAMED)
    async with world.operator():
        await world.clock.sleep(FRESH + 5)
        reviewer.outage = True
        sicken(world)

        def blocked() -> bool:
            found = condition(world, ConditionType.BLOCKED)
            return found is not None and found.reason == Reason.RIGHTS_UNKNOWN

        await world.until(blocked, 10)
        await world.clock.sleep(30)
        assert world.runs() == []
        assert stalled(world) == ""
        reviewer.outage = False
        await world.until(lambda: bool(world.runs()), UNKNOWN_FOR + 2)


async def test_an_operator_that_may_not_ask_says_so(world: World):
    world.check_creators(EVICT).failure = Forbidden("403 subjectaccessreviews is forbidden")
    world.policy(**NAMED)
    async with world.operator():
        await world.until(lambda: stalled(world) == Reason.RIGHTS_UNKNOWN)
        sicken(world)
        await world.clock.sleep(30)
    assert world.runs() == []
    assert "subjectaccessreviews is forbidden" in (condition(world, ConditionType.READY) or Condition).message


async def test_a_run_by_hand_is_checked_too(world: World):
    world.check_creators()
    world.policy(**NAMED)
    async with world.operator():
        await world.until(lambda: stalled(world) == Reason.FORBIDDEN)
        spec = {"policyName": "web", "cause": "Manual", "force": True, "reason": "try it"}
        world.put(Kind.RUN, "by-hand", spec)
        await world.until(lambda: all(run.completed for run in world.runs()))
    assert [(run.status.phase, run.status.reason) for run in world.runs()] == [(RunPhase.CANCELLED, Reason.STALLED)]


async def test_many_looks_ask_seldom(world: World):
    reviewer = world.check_creators(EVICT)
    world.policy(**NAMED)
    async with world.operator():
        for number in range(100):
            world.annotate(POLICY, "example.com/touched", str(number))
            await world.clock.sleep(1)
    assert len(reviewer.asked) == 1
