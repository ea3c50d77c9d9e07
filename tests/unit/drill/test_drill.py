"""The drill against the whole engine on twins, in virtual time: it passes, it fails, and it always clears away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import pytest

from tests.unit.engine.world import NS, World
from ultra_recovery.adapters.memory.bench import MemoryBench
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.errors import Forbidden
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.drill.drill import Drill, DrillError
from ultra_recovery.drill.manifests import Plan, deployment, policy

pytestmark = pytest.mark.looptime

PLAN = Plan(name="drill-1a2b3", image="ours:1", within=60)
LEFT = (Kind.DEPLOYMENT, Kind.POLICY, Kind.RUN, Kind.POD)


class Scene:
    """A cluster, a drill in it, and what it said."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.world = World()
        self.said: list[str] = []
        self.bench = MemoryBench(self.world.store, self.world.workloads, NS)
        self.drill = Drill(self.bench, self.shove, self.world.clock, self.said.append, plan)

    async def shove(self, address: str) -> None:
        pods = [item for item in self.world.store.documents.values() if item["kind"] == Kind.POD]
        (victim,) = [pod for pod in pods if pod["status"]["podIP"] == address]
        self.world.workloads.set_ready(Key(Kind.POD, NS, victim["metadata"]["name"]), False)

    def operator(self, runs: bool = True) -> AbstractAsyncContextManager[Any]:
        return self.world.operator() if runs else nullcontext()

    def left(self) -> list[str]:
        return [str(key) for key in self.world.store.documents if key.kind in LEFT]


async def test_a_broken_pod_is_recovered_and_nothing_is_left():
    scene = Scene()
    async with scene.operator():
        await scene.drill.run()
    timeline = "\n".join(scene.said)
    assert "fault: pod drill-1a2b3-" in timeline
    assert "step restart: Evict" in timeline
    assert "recovered within" in timeline
    assert scene.said[-1].endswith("cleared away")
    assert scene.left() == []


async def test_without_an_operator_it_says_so_and_nothing_is_left():
    scene = Scene()
    with pytest.raises(DrillError, match="the operator enforces the policy: does it run"):
        await scene.drill.run()
    assert scene.left() == []


async def test_a_recovery_that_takes_too_long_fails_with_what_was_seen_last():
    scene = Scene(Plan(name="drill-1a2b3", image="ours:1", within=20))
    scene.world.workloads.ready_after = 300
    async with scene.operator():
        with pytest.raises(DrillError, match=r"not within 20 s: .*1 of 2 pods Ready, not"):
            await scene.drill.run()
    assert scene.left() == []


async def test_a_run_that_ends_otherwise_fails_with_its_reason():
    scene = Scene(Plan(name="drill-1a2b3", image="ours:1", within=300))
    scene.world.workloads.ready_after = None
    async with scene.operator():
        with pytest.raises(DrillError, match="the run ended Failed/"):
            await scene.drill.run()
    assert scene.left() == []


async def test_an_operator_that_is_paused_is_told_by_its_decision():
    scene = Scene()
    scene.world.limits = type(scene.world.limits)(paused=True)
    async with scene.operator():
        with pytest.raises(DrillError, match="policy: Hold/OperatorPaused"):
            await scene.drill.run()
    assert scene.left() == []


@pytest.mark.parametrize("after", [0.1, 1.0, 2.5, 4.0, 5.0])
async def test_told_to_stop_at_any_moment_it_clears_away(after: float):
    scene = Scene()
    async with scene.operator():
        task = asyncio.ensure_future(scene.drill.run())
        await scene.world.clock.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert scene.left() == []


async def test_what_cannot_be_removed_is_named():
    scene = Scene()
    delete: Callable[[Kind, str], Awaitable[None]] = scene.bench.delete

    class Strict(MemoryBench):
        async def delete(self, kind: Kind, name: str) -> None:
            if kind is Kind.POLICY:
                raise Forbidden("may not delete policies")
            await delete(kind, name)

    strict = Strict(scene.world.store, scene.world.workloads, NS)
    drill = Drill(strict, scene.shove, scene.world.clock, scene.said.append, PLAN)
    async with scene.operator():
        with pytest.raises(DrillError, match=r"could not be removed: RecoveryPolicy drill-1a2b3 \(may not"):
            await drill.run()
    assert scene.left() == [f"RecoveryPolicy/{NS}/drill-1a2b3"]


def test_everything_that_is_built_belongs_to_the_pod_of_the_drill():
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "drill", "uid": "u1"}
    plan = Plan(name="drill-1a2b3", image="ours:1", owner=owner)
    assert [build(plan)["metadata"]["ownerReferences"] for build in (deployment, policy)] == [[owner], [owner]]


@pytest.mark.parametrize("account", ["", "ultra-recovery-drill"])
def test_the_policy_is_right_and_names_who_answers_for_it(account: str):
    spec = RecoveryPolicySpec.model_validate(policy(Plan(name="drill", image="ours:1", account=account))["spec"])
    assert spec.service_account_name == (account or None)
