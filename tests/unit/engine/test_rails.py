"""Every gate refuses with its reason, and lets the recovery through when it opens; on in-memory twins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.engine.world import NS, POLICY, WEB, World
from ultra_recovery.apis.meta import EXCLUDE_LABEL, PAUSED_ANNOTATION
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.probe import Outcome
from ultra_recovery.engine.rails import ClusterLimits

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def ill(world: World, count: int = 1) -> None:
    for name in sorted(world.uids())[:count]:
        world.workloads.set_ready(Key(Kind.POD, NS, name), False)


def decided(world: World, policy: Key = POLICY) -> str | None:
    last = world.read_policy(policy).status.last_decision
    return last.reason if last else None


def blocked(world: World) -> str | None:
    return next((c.reason for c in world.read_policy().status.conditions if c.type == ConditionType.BLOCKED), None)


async def refused(world: World, reason: Reason) -> None:
    """A refusal is a decision, a condition and a notice, and there is no run."""
    await world.until(lambda: decided(world) == reason)
    assert blocked(world) == reason
    assert [notice.reason for notice in world.sink.notices if notice.reason is reason]
    assert [run for run in world.runs() if run.status.phase is not RunPhase.CANCELLED] == []


async def recovers(world: World, seconds: float = 120.0) -> None:
    await world.until(lambda: any(run.status.phase is RunPhase.SUCCEEDED for run in world.runs()), seconds)
    assert blocked(world) is None


async def test_mode_manual_holds_and_auto_lets_go():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy(mode="Manual")
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await refused(world, Reason.MANUAL)
        world.policy(mode="Auto")
        await recovers(world)


async def test_the_annotation_on_the_namespace_holds_everything_in_it():
    world = World()
    namespace = world.namespace()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    world.annotate(namespace, PAUSED_ANNOTATION, "true")
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await refused(world, Reason.NAMESPACE_PAUSED)
        world.annotate(namespace, PAUSED_ANNOTATION, "false")
        await recovers(world)


async def test_the_operators_own_switch_holds_everything():
    world = World()
    world.limits = ClusterLimits(paused=True)
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await refused(world, Reason.OPERATOR_PAUSED)
    world.limits = ClusterLimits()
    async with world.operator():
        await recovers(world)


async def test_the_exclude_label_on_the_target_holds():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    world.label(WEB, EXCLUDE_LABEL, "true")
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await refused(world, Reason.EXCLUDED)
        world.label(WEB, EXCLUDE_LABEL, "false")
        await recovers(world)


async def test_a_target_scaled_to_zero_holds():
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.breaker()
    world.policy(triggers=[{"name": "db", "circuitOpen": {"breaker": "db"}}])
    world.prober.set("db", Outcome.FAILURE)
    world.workloads.scale(WEB, 0)
    async with world.operator():
        await refused(world, Reason.SCALED_TO_ZERO)


async def test_a_maintenance_window_holds_until_it_closes_also_across_a_restart():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    # The clock of these tests begins at 09:00 UTC.
    window = {"name": "morning", "effect": "Deny", "schedule": "0 9 * * *", "duration": "2m"}
    world.policy(maintenanceWindows=[window])
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await refused(world, Reason.MAINTENANCE_WINDOW)
    async with world.operator():
        await refused(world, Reason.MAINTENANCE_WINDOW)
        await recovers(world, 200)
    assert world.runs()[0].status.started_at - world.start >= timedelta(minutes=2)


async def test_a_window_that_cannot_be_read_stalls_the_policy():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy(maintenanceWindows=[{"name": "w", "schedule": "0 25 * * *", "duration": "1h"}])
    async with world.operator():
        await world.until(lambda: decided(world) == Reason.STALLED)
    assert "hour" in next(c.message for c in world.read_policy().status.conditions if c.type == ConditionType.STALLED)


DEPENDS = {"dependencies": [{"breaker": "db"}]}


async def test_while_a_dependency_is_open_pods_are_not_restarted_and_afterwards_they_are():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker()
    world.policy(**DEPENDS)
    before = world.uids()
    async with world.operator():
        world.prober.set("db", Outcome.FAILURE)
        await world.until(lambda: world.read_breaker().status.state == "Open")
        ill(world, 2)
        await refused(world, Reason.DEPENDENCY_OPEN)
        await world.clock.sleep(60)
        assert world.uids() == before
        world.prober.set("db", Outcome.SUCCESS)
        await recovers(world)


async def test_a_dependency_that_died_a_moment_ago_is_found_by_the_fresh_probe_before_the_step():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker(probe={"interval": "60s", "timeout": "1s", "trialInterval": "1s"})
    world.policy(**DEPENDS)
    before = world.uids()
    async with world.operator():
        await world.clock.sleep(3)
        world.prober.set("db", Outcome.FAILURE)
        ill(world, 2)
        await world.until(lambda: bool(world.runs()) and world.runs()[0].status.reason == Reason.DEPENDENCY_OPEN)
        assert world.read_breaker().status.state == "Closed"
        await world.until(lambda: blocked(world) == Reason.DEPENDENCY_OPEN)
        assert decided(world) == Reason.DEPENDENCY_OPEN
        await world.clock.sleep(3)
        assert world.uids() == before
        world.prober.set("db", Outcome.SUCCESS)
        await recovers(world)


async def test_a_dependency_of_which_nothing_is_known_does_not_forbid_anything():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker()
    world.prober.set("db", Outcome.ERROR, reason=Reason.TARGET_NOT_FOUND)
    world.policy(**DEPENDS)
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        await recovers(world)


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [
        pytest.param([{"breaker": "db"}], True, id="any reason"),
        pytest.param([{"breaker": "db", "reasons": ["ProbeFailed"]}], True, id="this reason"),
        pytest.param([{"breaker": "db", "reasons": ["Exhausted"]}], False, id="another reason"),
    ],
)
async def test_a_step_may_be_allowed_while_a_dependency_is_open(allowed, passes):
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.breaker()
    step = {"name": "restart", "action": {"restartPods": {}}, "timeout": "60s", "allowWhileOpen": allowed}
    world.policy(**DEPENDS, ladder=[step])
    async with world.operator():
        world.prober.set("db", Outcome.FAILURE)
        await world.until(lambda: world.read_breaker().status.state == "Open")
        ill(world)
        if passes:
            await recovers(world)
        else:
            await refused(world, Reason.DEPENDENCY_OPEN)


async def test_a_breaker_of_the_target_itself_may_not_be_a_dependency():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.put(Kind.BREAKER, "db", {"target": {"workload": {"kind": "Deployment", "name": "web"}}})
    world.policy(**DEPENDS)
    async with world.operator():
        await world.until(lambda: decided(world) == Reason.STALLED)
    assert "itself" in world.read_policy().status.last_decision.message


async def test_a_storm_holds_restarts_and_lets_them_go_when_it_is_over():
    world = World()
    for number in range(6):
        world.workloads.deployment(NS, f"app-{number}", 2)
        world.policy(name=f"app-{number}", targetRef={"kind": "Deployment", "name": f"app-{number}"})
    async with world.operator():
        await world.clock.sleep(3)
        for number in range(6):
            pod = world.workloads.pods(Key(Kind.DEPLOYMENT, NS, f"app-{number}"))[0]
            world.workloads.set_ready(pod, False)
        await world.until(lambda: any(run.status.reason == Reason.STORM for run in world.runs()))
        await world.clock.sleep(60)
        assert not any(run.had_effect for run in world.runs() if run.status.reason == Reason.STORM)
        policies = [Key(Kind.POLICY, NS, f"app-{number}") for number in range(6)]
        await world.until(lambda: any(decided(world, key) == Reason.STORM for key in policies), 400)
        await world.until(lambda: sum(run.status.phase is RunPhase.SUCCEEDED for run in world.runs()) == 6, 900)


async def test_a_budget_holds_and_deleting_runs_gives_nothing_back():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    limits = {"interval": "1s", "cooldown": "1s", "minHealthyPeriod": "1s", "budget": {"runs": 2, "per": "1h"}}
    world.policy(limits=limits)
    async with world.operator():
        await world.clock.sleep(3)
        for number in (1, 2):
            ill(world)
            await world.until(lambda count=number: sum(run.completed for run in world.runs()) == count)
            await world.clock.sleep(5)
        for run in world.runs():
            world.store.remove(run.meta.key)
        ill(world)
        await world.until(lambda: decided(world) == Reason.BUDGET)
        assert "budget of the policy is used up: 2 of 2" in world.read_policy().status.last_decision.message
    async with world.operator():
        await world.clock.sleep(30)
        assert decided(world) == Reason.BUDGET
        assert world.runs() == []


async def test_two_policies_on_one_target_take_turns():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    world.policy()
    world.policy(name="web-too")
    async with world.operator() as api:
        await world.clock.sleep(3)
        ill(world)
        await recovers(world)
        await world.clock.sleep(30)
        evictions = [request for request in api.requests if request.verb == "evict" and request.result == "ok"]
        assert len(evictions) == 1


async def test_a_recovery_that_is_blocked_for_long_is_told_once_per_gate():
    world = World()
    world.workloads.deployment(NS, "web", 3)
    webhook = {"notify": {"webhook": {"serviceRef": {"name": "relay", "port": 80}}}}
    ladder = [
        {"name": "restart", "action": {"restartPods": {}}, "timeout": "60s"},
        {"name": "page", "action": webhook, "timeout": "10s"},
    ]
    world.policy(mode="Manual", ladder=ladder)
    async with world.operator("one"):
        await world.clock.sleep(3)
        ill(world)
        await refused(world, Reason.MANUAL)
        await world.clock.sleep(250)
        assert world.messenger.messages == []
        await world.until(lambda: bool(world.messenger.messages), 120)
        await world.clock.sleep(400)
    async with world.operator("two"):
        await world.clock.sleep(400)
    assert [message.data["gate"] for message in world.messenger.messages] == [Reason.MANUAL]
    told = [notice for notice in world.sink.notices if notice.reason is Reason.BLOCKED_FOR_LONG]
    assert [notice.key for notice in told] == [POLICY]
