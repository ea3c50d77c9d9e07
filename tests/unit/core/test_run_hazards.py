"""Stories in which a run once acted, waited or judged wrongly, each told as short as it can be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.core.run_ladders import LADDERS, POLICY, RUNS
from tests.unit.core.run_world import START, RunWorld
from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectStatus, RunPhase
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
