"""Whatever a gate refuses is seen: in a status, as a condition, as an Event and in a series; on in-memory twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.engine.world import EVICT, NS, WEB, World
from ultra_recovery.adapters.memory import MemoryApi
from ultra_recovery.adapters.memory.jobs import JobPlan, add_cron_job
from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.apis.meta import APPROVE_ANNOTATION, EXCLUDE_LABEL, PAUSED_ANNOTATION, REJECT_ANNOTATION
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.gate_table import LATER_REASONS, RUN_GATE_REASONS, STEP_GATE_FACTS
from ultra_recovery.core.objects import Key, Kind, Policy
from ultra_recovery.core.parsing import parse
from ultra_recovery.core.probe import Outcome
from ultra_recovery.engine.creators import FRESH
from ultra_recovery.engine.rails import ClusterLimits

ALL = {"name": "all", "action": {"restartPods": {"pods": "All"}}, "timeout": "60s"}
APPROVED = {**ALL, "approval": {"within": "30s"}}
REPAIR = {"runJob": {"cronJobName": "repair", "class": "DependencyRepair", "breaker": "db"}}
NAMED = {"serviceAccountName": "healer"}
QUICK = {"interval": "1s", "cooldown": "1s", "minHealthyPeriod": "1s"}
DEPENDS = {"dependencies": [{"breaker": "db"}]}
GRACE = {"triggers": [{"name": "pods", "podUnhealthy": {"startupGrace": "2s"}, "for": "1s"}]}
OPEN = {"triggers": [{"name": "db", "circuitOpen": {"breaker": "db"}}]}
NO_CONDITION = {Reason.NOT_FIRING, Reason.DRY_RUN_RECORDED, Reason.APPROVAL_REJECTED, Reason.APPROVAL_EXPIRED}
"""Nothing that is due is kept from happening, or the run is over and says so itself."""


@dataclass(frozen=True, slots=True)
class Scene:
    """How a gate comes to refuse.

    Attributes:
        spec: of the policy of web.
        prepare: done before the operator starts.
        later: done twice a second while the reason is awaited.
        sick: whether a pod of web falls ill three seconds after the start.
    """

    spec: dict[str, Any]
    prepare: Callable[[World], object] = lambda world: None
    later: Callable[[World, MemoryApi], object] = lambda world, api: None
    sick: bool = True


def sicken(world: World, workload: Key = WEB) -> None:
    """The first pod is not Ready."""
    world.workloads.set_ready(world.workloads.pods(workload)[0], False)


def stubborn(world: World) -> None:
    """Replacements never get Ready."""
    world.workloads.ready_after = None


def again(world: World, api: MemoryApi) -> None:
    """As soon as the run is over and the incident closed, a pod falls ill anew."""
    del api
    incident = policies(world)[0].status.incident
    if incident is not None and incident.state == "Closed" and all(run.completed for run in world.runs()):
        sicken(world)


def dependency(world: World) -> None:
    """A breaker that does not answer."""
    world.breaker(successThreshold=100)
    world.prober.set("db", Outcome.FAILURE)


def halfway(world: World, api: MemoryApi) -> None:
    """Once the run is over, the dependency is on trial."""
    del api
    if any(run.completed for run in world.runs()):
        world.prober.set("db", Outcome.SUCCESS)


def terminating(world: World) -> None:
    """The target is being deleted."""
    dependency(world)
    world.store.change(WEB, lambda item: item["metadata"].__setitem__("deletionTimestamp", "2026-01-05T09:00:00Z"))


def scaled_to_zero(world: World) -> None:
    """Nobody wants any pods."""
    dependency(world)
    world.workloads.scale(WEB, 0)


def paused(world: World) -> None:
    """The operator's own switch."""
    world.limits = ClusterLimits(paused=True)


def slow_probe(world: World) -> None:
    """The fresh probe takes its time."""
    world.breaker(probe={"interval": "1h", "timeout": "20s"})
    world.prober.set("db", Outcome.SUCCESS, delay=15.0)


def others(world: World) -> None:
    """Six more targets."""
    for number in range(6):
        world.workloads.deployment(NS, f"app-{number}", 2)
        world.policy(name=f"app-{number}", targetRef={"kind": "Deployment", "name": f"app-{number}"})


def all_at_once(world: World, api: MemoryApi) -> None:
    """All of them fall ill together."""
    del api
    if not any(policy.status.incident for policy in policies(world)):
        for number in range(6):
            sicken(world, Key(Kind.DEPLOYMENT, NS, f"app-{number}"))


def rival(world: World, api: MemoryApi) -> None:
    """A second policy on the target, while a run of the first takes its time."""
    del api
    if world.runs() and len(policies(world)) == 1:
        world.policy(name="web-too", **GRACE)


def shared_dependency(world: World) -> None:
    """Two workloads whose policies repair the same dependency, and a repair that takes its time."""
    dependency(world)
    add_cron_job(world.store, NS, "repair")
    world.jobs.usual = JobPlan(after=30.0)
    world.workloads.deployment(NS, "app", 2)
    target = {"kind": "Deployment", "name": "app"}
    world.policy(name="app", targetRef=target, ladder=[{"name": "repair", "action": REPAIR}], **OPEN)


def reject(world: World, api: MemoryApi) -> None:
    """A person says no."""
    del api
    for run in world.runs():
        if run.status.phase is RunPhase.AWAITING_APPROVAL:
            world.annotate(run.meta.key, REJECT_ANNOTATION, "all")


def guard(world: World) -> None:
    """A PodDisruptionBudget that allows nothing."""
    world.store.budgets[NS] = None


def withdraw(world: World, api: MemoryApi) -> None:
    """While a person is asked, the policy's account loses its right; then the person says yes."""
    del api
    for run in world.runs():
        if run.status.phase is RunPhase.AWAITING_APPROVAL and world.reviewer is not None:
            world.reviewer.rights.clear()
            asked_at = run.status.steps[-1].approval_requested_at
            if asked_at is not None and (world.clock.now() - asked_at).total_seconds() > FRESH:
                world.annotate(run.meta.key, APPROVE_ANNOTATION, "all")


def nobody_answers(world: World) -> None:
    """The API server answers no question about rights."""
    world.check_creators(EVICT).outage = True


def lose_evictions(world: World, api: MemoryApi) -> None:
    """The API server does not answer evictions."""
    del world
    api.faults.fail_at(1, match=lambda request: request.verb == "evict")


def window(schedule: str) -> dict[str, Any]:
    """A policy with a window in which nothing begins; the clock of these tests begins at 09:00 UTC."""
    return {"maintenanceWindows": [{"name": "w", "schedule": schedule, "duration": "1h"}]}


SCENES: dict[Reason, Scene] = {
    Reason.STALLED: Scene(window("0 25 * * *")),
    Reason.FORBIDDEN: Scene({"ladder": [APPROVED], **NAMED}, lambda world: world.check_creators(EVICT), withdraw),
    Reason.RIGHTS_UNKNOWN: Scene(NAMED, nobody_answers),
    Reason.PAUSED: Scene({"mode": "Paused"}),
    Reason.OPERATOR_PAUSED: Scene({}, paused),
    Reason.NAMESPACE_PAUSED: Scene({}, lambda world: world.annotate(world.namespace(), PAUSED_ANNOTATION, "true")),
    Reason.MANUAL: Scene({"mode": "Manual"}),
    Reason.NOT_FIRING: Scene(OPEN, dependency, halfway, sick=False),
    Reason.NEEDS_HUMAN: Scene({**GRACE, "limits": {**QUICK, "maxAttempts": 1}}, stubborn),
    Reason.DRY_RUN_RECORDED: Scene({"mode": "DryRun"}),
    Reason.TARGET_GONE: Scene(OPEN, terminating, sick=False),
    Reason.EXCLUDED: Scene({}, lambda world: world.label(WEB, EXCLUDE_LABEL, "true")),
    Reason.SCALED_TO_ZERO: Scene(OPEN, scaled_to_zero, sick=False),
    Reason.INTERVAL: Scene({**GRACE, "limits": {**QUICK, "interval": "60s"}}, stubborn),
    Reason.COOLDOWN: Scene({"limits": {**QUICK, "cooldown": "1h"}}, later=again),
    Reason.BUDGET: Scene({"limits": {**QUICK, "budget": {"runs": 1}}}, later=again),
    Reason.TARGET_LEASED: Scene(GRACE, stubborn, rival),
    Reason.MAINTENANCE_WINDOW: Scene(window("0 9 * * *")),
    Reason.ROLLOUT_IN_PROGRESS: Scene({}, lambda world: world.workloads.start_rollout(WEB)),
    Reason.DEPENDENCY_OPEN: Scene(DEPENDS, dependency),
    Reason.AWAITING_PROBE: Scene(DEPENDS, slow_probe),
    Reason.STORM: Scene({}, others, all_at_once),
    Reason.QUORUM: Scene({**OPEN, "ladder": [ALL], "limits": {"minHealthy": "100%"}}, dependency, sick=False),
    Reason.AWAITING_APPROVAL: Scene({"ladder": [APPROVED]}),
    Reason.APPROVAL_REJECTED: Scene({"ladder": [APPROVED]}, later=reject),
    Reason.APPROVAL_EXPIRED: Scene({"ladder": [APPROVED]}),
    Reason.BREAKER_LEASED: Scene({**OPEN, "ladder": [{"name": "r", "action": REPAIR}]}, shared_dependency, sick=False),
    Reason.POD_DISRUPTION_BUDGET: Scene({}, guard),
    Reason.API_UNAVAILABLE: Scene({}, later=lose_evictions),
}


def policies(world: World) -> list[Policy]:
    """All policies, that of web first."""
    found = [parse(Kind.POLICY, item) for key, item in world.store.documents.items() if key.kind is Kind.POLICY]
    return sorted((item for item in found if isinstance(item, Policy)), key=lambda item: item.meta.key.name != "web")


def stands_in_a_status(world: World, reason: Reason) -> bool:
    """As the last decision of a policy, or as what a run or its step says."""
    decided = {item.status.last_decision.reason for item in policies(world) if item.status.last_decision}
    said = {word for run in world.runs() for word in (run.status.reason, *(step.reason for step in run.status.steps))}
    return reason in decided | said


def is_a_condition(world: World, reason: Reason) -> bool:
    """Blocked names the gate; a policy that is stalled or needs a human has a condition of its own."""
    own = {Reason.STALLED: ConditionType.STALLED, Reason.NEEDS_HUMAN: ConditionType.NEEDS_HUMAN}
    wanted = own.get(reason, ConditionType.BLOCKED)
    found = [condition for item in policies(world) for condition in item.status.conditions if condition.type == wanted]
    return any(wanted is not ConditionType.BLOCKED or condition.reason == reason for condition in found)


def counted(world: World) -> str:
    """What the notices make of the series."""
    metrics = MetricsSink()
    for notice in world.sink.notices:
        metrics.publish(notice)
    return metrics.render()[0].decode()


def test_there_is_a_scene_for_every_reason_that_a_gate_can_give():
    before_runs = {reason for reasons in RUN_GATE_REASONS.values() for reason in reasons}
    before_steps = {reason for facts in STEP_GATE_FACTS.values() for reason in facts.reasons}
    assert set(SCENES) == before_runs | before_steps | set(LATER_REASONS)


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("reason", SCENES, ids=str)
async def test_a_refusal_is_seen_in_a_status_as_a_condition_as_an_event_and_in_a_series(reason: Reason):
    scene, world = SCENES[reason], World()
    world.workloads.deployment(NS, "web", 3)
    world.policy(**scene.spec)
    scene.prepare(world)
    async with world.operator() as api:
        await world.clock.sleep(3)
        if scene.sick:
            sicken(world)
        for _ in range(200):
            scene.later(world, api)
            await world.clock.sleep(0.5)
            if stands_in_a_status(world, reason):
                break
        assert stands_in_a_status(world, reason), [item.status.last_decision for item in policies(world)]
        if reason not in NO_CONDITION:
            await world.until(lambda: is_a_condition(world, reason), 5)
    told = [notice for notice in world.sink.notices if notice.reason is reason]
    assert told
    assert any(notice.event and notice.uid for notice in told) or reason is Reason.NOT_FIRING
    assert f'reason="{reason}"' in counted(world)
