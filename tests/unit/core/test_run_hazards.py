"""Stories in which a run once acted, waited or judged wrongly, each told as short as it can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.core.breaker_scene import OPEN
from tests.unit.core.run_ladders import JOB, LADDERS, POLICY, RESTART, RUNS
from tests.unit.core.run_world import START, RunWorld
from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RunPhase, StepState
from ultra_recovery.core.job_document import JobResult, JobState
from ultra_recovery.core.run import advance


def world(ladder: list[dict[str, Any]] = LADDERS["all pods"], run: str = "own", ill: int = 1) -> RunWorld:
    """Two pods, the first of them ill, and a run that is about to start."""
    policy = RecoveryPolicySpec.model_validate({**POLICY, "ladder": ladder})
    made = RunWorld(policy, RecoveryRunSpec.model_validate(RUNS[run]), 2, START)
    made.facts()
    for name in sorted(made.pods)[:ill]:
        made.change_pod(name, ready=False)
    for _ in range(3):
        made.second()
        made.facts()
    return made


def asked(made: RunWorld, seconds: float = 0) -> EffectStatus | None:
    """The next effect that is asked for within this time; nobody carries it out."""
    until = made.now + timedelta(seconds=seconds)
    for _ in range(1000):
        before = made.status
        answer = advance(made.facts(), find_action, made.now)
        made.status = answer.status
        if answer.effect is not None:
            return answer.effect
        if made.status == before:
            if made.now >= until or made.run.completed:
                return None
            made.second()
    raise AssertionError("the run does not come to rest")


def test_a_run_that_does_not_get_the_targets_lease_back_ends_with_its_timeout():
    made = world()
    made.kubelet_asleep = True
    effect = asked(made, 5)
    assert effect is not None
    made.lease = False
    assert asked(made, 300) is None
    assert (made.status.phase, made.status.reason) == (RunPhase.INCONCLUSIVE, Reason.TARGET_LEASED)
    assert made.status.finished_at <= made.status.started_at + timedelta(seconds=203)


def test_without_an_effect_such_a_run_is_cancelled():
    made = world()
    made.storm(there=True)
    assert asked(made, 5) is None
    made.lease = False
    assert asked(made, 300) is None
    assert (made.status.phase, made.status.reason) == (RunPhase.CANCELLED, Reason.TARGET_LEASED)


def test_an_eviction_that_was_refused_for_now_asks_every_gate_before_it_is_tried_again():
    made = world()
    effect = asked(made, 5)
    assert effect is not None
    made.refuse(Reason.POD_DISRUPTION_BUDGET, 2)
    made.breaker = replace(made.breaker, state=OPEN)
    assert asked(made, 20) is None
    assert made.status.reason == Reason.DEPENDENCY_OPEN


def test_a_pod_that_became_ready_while_its_eviction_was_refused_is_left_alone():
    made = world([RESTART], ill=2)
    effect = asked(made, 5)
    assert effect is not None
    made.refuse(Reason.POD_DISRUPTION_BUDGET, 2)
    made.change_pod(effect.object, ready=True, ready_changed_at=made.now)
    following = asked(made, 10)
    assert following is not None
    assert following.id != effect.id
    assert [item.outcome for item in made.step_effects] == [EffectOutcome.WITHDRAWN, None]


def test_an_eviction_that_is_tried_again_asks_for_the_quorum_again():
    made = world(LADDERS["all pods"], ill=2)
    effect = asked(made, 5)
    assert effect is not None
    made.refuse(Reason.POD_DISRUPTION_BUDGET, 2)
    made.change_pod(effect.object, ready=True, ready_changed_at=made.now)
    assert asked(made, 10) is None
    assert made.status.reason == Reason.QUORUM


def test_no_effect_begins_after_the_end_although_its_wait_for_a_lease_cost_no_time_of_the_step():
    made = world([JOB])
    made.breaker_lease = True
    while not made.status.steps or made.status.steps[-1].state is not StepState.ACTING:
        made.status = advance(made.facts(), find_action, made.now).status
    made.breaker_lease = False
    assert asked(made, 400) is None
    assert made.status.reason == Reason.BREAKER_LEASED
    assert made.run.completed
    made.breaker_lease = True


def test_an_eviction_is_not_repeated_after_the_end_by_a_leader_that_comes_late():
    made = world([RESTART])
    assert asked(made, 5) is not None
    made.refuse(Reason.POD_DISRUPTION_BUDGET, 2)
    assert asked(made) is None
    made.new_leader()
    made.now += timedelta(seconds=400)
    made.kubelet_asleep = True
    assert asked(made, 60) is None
    assert made.run.completed


def test_a_job_is_awaited_while_another_run_holds_the_breaker_and_not_longer_than_its_step():
    made = world([JOB])
    effect = asked(made, 5)
    assert effect is not None
    made.jobs[effect.id] = JobResult(JobState.RUNNING, "runs")
    assert asked(made) is None
    made.breaker_lease = False
    assert asked(made, 3) is None
    made.breaker_lease = True
    assert asked(made, 60) is None
    assert (made.status.phase, made.status.reason) == (RunPhase.FAILED, Reason.LADDER_EXHAUSTED)


def test_a_dry_run_names_the_quorum_that_would_hold_the_first_eviction():
    made = world(LADDERS["all pods"], "by hand, dry", ill=0)
    made.policy = made.policy.model_copy(
        update={"limits": made.policy.limits.model_copy(update={"min_healthy": "100%"})}
    )
    assert asked(made) is None
    step = made.status.steps[0]
    assert (step.reason, step.effects) == (Reason.QUORUM, [])
