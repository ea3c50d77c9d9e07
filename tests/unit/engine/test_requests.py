"""Runs that people and applications ask for, approvals and dry runs; on in-memory twins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.unit.engine.world import NS, World
from ultra_recovery.apis.meta import API_VERSION, APPROVE_ANNOTATION, CANCEL_ANNOTATION, REJECT_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase, StepResult
from ultra_recovery.core.decide import DecisionKind
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.core.probe import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

APPROVED = {"name": "restart", "action": {"restartPods": {}}, "timeout": "60s", "approval": {"within": "10m"}}
ALL = {"name": "all", "action": {"restartPods": {"pods": "All"}}, "timeout": "60s"}


def ask(world: World, name: str = "by-hand", **spec: Any) -> Key:
    """Create a run as `kubectl create -f run.yaml` does."""
    meta = {"name": name, "namespace": NS}
    full = {"policyName": "web", "cause": "Manual", **spec}
    world.store.add(Kind.RUN, {"apiVersion": API_VERSION, "kind": "RecoveryRun", "metadata": meta, "spec": full})
    return Key(Kind.RUN, NS, name)


def ready_world(**policy: Any) -> World:
    world = World()
    world.workloads.deployment(NS, "web", 2)
    world.policy(**policy)
    return world


def ill(world: World) -> None:
    world.workloads.set_ready(Key(Kind.POD, NS, sorted(world.uids())[0]), False)


async def ended(world: World, key: Key) -> Run:
    await world.until(lambda: world.run(key).completed, 400)
    return world.run(key)


def _decision(world: World) -> tuple[str, str] | None:
    last = world.read_policy().status.last_decision
    return (last.decision, last.reason) if last else None


async def phase(world: World, wanted: RunPhase) -> Run:
    await world.until(lambda: bool(world.runs()) and world.runs()[-1].status.phase is wanted, 400)
    return world.runs()[-1]


async def test_a_run_by_hand_acts_in_mode_manual_and_proves_nothing_where_all_was_good():
    world = ready_world(mode="Manual", ladder=[ALL])
    before = world.uids()
    async with world.operator():
        await world.clock.sleep(3)
        run = await ended(world, ask(world, requestedBy="jane"))
    assert not set(before.values()) & set(world.uids().values())
    assert (run.status.phase, run.status.reason) == (RunPhase.INCONCLUSIVE, Reason.GOOD_BEFORE)


async def test_a_run_by_hand_succeeds_where_something_was_wrong():
    world = ready_world(mode="Manual", ladder=[ALL])
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        run = await ended(world, ask(world))
    assert run.status.phase is RunPhase.SUCCEEDED


async def test_a_run_by_hand_restarts_the_pods_that_are_not_ready_and_no_other():
    world = ready_world(mode="Manual")
    before = world.uids()
    victim = sorted(before)[0]
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        run = await ended(world, ask(world))
    assert run.status.phase is RunPhase.SUCCEEDED
    assert set(before.values()) - set(world.uids().values()) == {before[victim]}


@contextmanager
def untold(world: World) -> Iterator[None]:
    """What changes meanwhile is told by no watch, as if that of its kind were slower than the others."""
    world.store.watch_delay = None
    yield
    world.store.watch_delay = 0.0


async def test_a_run_by_hand_restarts_a_pod_whose_trouble_the_watch_has_not_told_of_yet():
    world = ready_world(mode="Manual")
    before = world.uids()
    victim = sorted(before)[0]
    async with world.operator() as api:
        await world.clock.sleep(5)
        with untold(world):
            ill(world)
        run = await ended(world, ask(world))
    lists = [request.kind for request in api.requests if request.verb == "list" and request.namespace == NS]
    assert run.status.phase is RunPhase.SUCCEEDED
    assert set(before.values()) - set(world.uids().values()) == {before[victim]}
    assert lists == ["CircuitBreaker", "RecoveryPolicy", "Deployment", "StatefulSet", "Pod"]


async def test_a_run_that_is_applied_with_its_policy_and_its_target_may_be_seen_first():
    world = World()
    async with world.operator():
        await world.clock.sleep(5)
        with untold(world):
            world.workloads.deployment(NS, "web", 2)
            world.policy(mode="Manual", ladder=[ALL])
        run = await ended(world, ask(world))
    assert run.had_effect


async def test_a_second_run_waits_for_the_first_and_names_it():
    world = ready_world(mode="Manual", ladder=[ALL])
    async with world.operator():
        await world.clock.sleep(3)
        first, second = ask(world, "first"), ask(world, "second")
        await world.until(lambda: world.run(second).status.reason == Reason.TARGET_LEASED)
        assert "held by run first" in (world.run(second).status.message or "")
        await ended(world, first)
        assert (await ended(world, second)).had_effect


@pytest.mark.parametrize(
    ("policy", "spec", "reason"),
    [
        pytest.param({"mode": "Paused"}, {}, Reason.PAUSED, id="paused"),
        pytest.param({}, {"steps": ["nope"]}, Reason.STEP_NOT_FOUND, id="a step that is not there"),
        pytest.param({}, {"policyName": "other"}, Reason.POLICY_GONE, id="no such policy"),
        pytest.param({}, {"cause": "Reported", "errorType": "X"}, Reason.NO_TRIGGER, id="an error nobody knows"),
        pytest.param(
            {},
            {"cause": "Trigger", "incident": 7, "sequence": 1, "attempt": 1, "triggers": ["pods"]},
            Reason.NOT_FIRING,
            id="a forged run of an incident that is not open",
        ),
    ],
)
async def test_a_run_that_cannot_start_is_cancelled_with_the_reason(policy, spec, reason):
    world = ready_world(**policy)
    async with world.operator() as api:
        await world.clock.sleep(3)
        run = await ended(world, ask(world, **spec))
        assert [request for request in api.requests if request.verb == "evict"] == []
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, reason)


async def test_only_the_steps_that_are_asked_for_are_taken():
    job = {"name": "other", "action": {"restartPods": {}}, "timeout": "10s"}
    world = ready_world(mode="Manual", ladder=[job, ALL])
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        run = await ended(world, ask(world, steps=["all"]))
    assert [step.name for step in run.status.steps] == ["all"]


async def test_force_passes_an_open_dependency_which_a_run_without_it_does_not():
    world = ready_world(mode="Manual", ladder=[ALL], dependencies=[{"breaker": "db"}])
    world.breaker()
    world.prober.set("db", Outcome.FAILURE)
    async with world.operator():
        await world.until(lambda: world.read_breaker().status.state == "Open")
        held = await ended(world, ask(world, "held"))
        assert (held.status.phase, held.status.reason) == (RunPhase.CANCELLED, Reason.DEPENDENCY_OPEN)
        before = world.uids()
        run = await ended(world, ask(world, "forced", force=True, reason="ticket 1"))
        assert run.had_effect
        assert not set(before.values()) & set(world.uids().values())


REPORTED = [{"name": "reported", "errorReported": {"errorTypes": ["LOST"], "count": 2, "within": "1m"}}]


async def test_reports_count_until_there_are_enough_and_then_one_run_acts():
    world = ready_world(triggers=REPORTED, ladder=[ALL])
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        first = await ended(world, ask(world, "one", cause="Reported", errorType="LOST"))
        assert (first.status.phase, first.status.reason) == (RunPhase.CANCELLED, Reason.COUNT_NOT_REACHED)
        second = await ended(world, ask(world, "two", cause="Reported", errorType="LOST"))
        assert second.status.phase is RunPhase.SUCCEEDED


async def test_old_reports_do_not_count():
    world = ready_world(triggers=REPORTED, ladder=[ALL])
    async with world.operator():
        await world.clock.sleep(3)
        await ended(world, ask(world, "one", cause="Reported", errorType="LOST"))
        await world.clock.sleep(70)
        second = await ended(world, ask(world, "two", cause="Reported", errorType="LOST"))
    assert second.status.reason == Reason.COUNT_NOT_REACHED


async def test_an_approval_lets_the_step_act_and_its_wait_costs_no_time():
    world = ready_world(ladder=[APPROVED])
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        run = await phase(world, RunPhase.AWAITING_APPROVAL)
        await world.until(lambda: not world.leases())
        await world.until(lambda: _decision(world) == (DecisionKind.HOLD, Reason.AWAITING_APPROVAL))
        await world.clock.sleep(400)
        world.annotate(run.meta.key, APPROVE_ANNOTATION, "restart")
        run = await ended(world, run.meta.key)
    assert run.status.phase is RunPhase.SUCCEEDED
    assert run.status.approval_seconds >= 400
    assert run.status.steps[0].approved_at is not None


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        pytest.param(REJECT_ANNOTATION, Reason.APPROVAL_REJECTED, id="rejected"),
        pytest.param(CANCEL_ANNOTATION, Reason.CANCEL_REQUESTED, id="cancelled"),
        pytest.param(None, Reason.APPROVAL_EXPIRED, id="silence is no approval"),
    ],
)
async def test_without_an_approval_nothing_is_done(annotation, reason):
    world = ready_world(ladder=[{**APPROVED, "approval": {"within": "1m"}}])
    before = world.uids()
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        run = await phase(world, RunPhase.AWAITING_APPROVAL)
        if annotation:
            world.annotate(run.meta.key, annotation, "restart")
        run = await ended(world, run.meta.key)
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, reason)
    assert world.uids() == before


async def test_an_approval_for_another_step_is_none():
    world = ready_world(ladder=[{**APPROVED, "approval": {"within": "1m"}}])
    async with world.operator():
        await world.clock.sleep(3)
        ill(world)
        run = await phase(world, RunPhase.AWAITING_APPROVAL)
        world.annotate(run.meta.key, APPROVE_ANNOTATION, "other")
        run = await ended(world, run.meta.key)
    assert run.status.reason == Reason.APPROVAL_EXPIRED


async def test_a_target_that_recovers_while_people_think_needs_no_approval():
    world = ready_world(ladder=[APPROVED])
    async with world.operator():
        await world.clock.sleep(3)
        name = sorted(world.uids())[0]
        world.workloads.set_ready(Key(Kind.POD, NS, name), False)
        run = await phase(world, RunPhase.AWAITING_APPROVAL)
        world.workloads.set_ready(Key(Kind.POD, NS, name), True)
        run = await ended(world, run.meta.key)
    assert (run.status.phase, run.status.reason) == (RunPhase.CANCELLED, Reason.SELF_RECOVERED)


async def test_a_dry_run_says_once_what_would_be_done_and_touches_nothing():
    world = ready_world(mode="DryRun")
    before = world.uids()
    async with world.operator() as api:
        await world.clock.sleep(3)
        ill(world)
        await world.clock.sleep(200)
        kinds = {(request.verb, request.kind) for request in api.requests if request.mutating}
    assert world.uids() == before
    assert kinds <= {("status", "RecoveryPolicy"), ("status", "RecoveryRun"), ("create", "RecoveryRun")} | {
        ("create", "Lease"),
        ("update", "Lease"),
        ("status", "CircuitBreaker"),
    }
    (run,) = world.runs()
    assert (run.status.phase, run.status.reason) == (RunPhase.SUCCEEDED, Reason.DRY_RUN)
    (effect,) = run.status.steps[0].effects
    assert (effect.object, effect.outcome) == (sorted(before)[0], EffectOutcome.DRY_RUN)
    assert run.status.steps[0].result is StepResult.DRY_RUN
    assert not run.had_effect
