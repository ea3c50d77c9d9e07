"""What a run may do, as the design has it: tables of moves, and what must hold before an effect.

Nothing here is taken from the code that decides: otherwise it would agree with itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.unit.core.breaker_scene import CLOSED
from tests.unit.core.run_world import RunWorld
from ultra_recovery.apis.action import Step
from ultra_recovery.apis.meta import CANCEL_ANNOTATION
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RecoveryRunStatus, RunPhase, StepState
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.run import Advance

P, S = RunPhase, StepState
FINAL = frozenset({P.SUCCEEDED, P.FAILED, P.ERROR, P.INCONCLUSIVE, P.CANCELLED})
PHASE_MOVES = {
    None: {P.PENDING},
    P.PENDING: {P.RUNNING, P.CANCELLED},
    P.RUNNING: {P.AWAITING_APPROVAL, *FINAL},
    P.AWAITING_APPROVAL: {P.RUNNING, P.CANCELLED, P.INCONCLUSIVE},
}
STEP_MOVES: dict[StepState, set[StepState]] = {
    S.WAITING: {S.ACTING, S.VERIFYING, S.DONE},
    S.ACTING: {S.VERIFYING, S.UNDOING, S.DONE},
    S.VERIFYING: {S.UNDOING, S.DONE},
    S.UNDOING: {S.DONE},
    S.DONE: set(),
}
OUTCOME_MOVES = {
    None: set(EffectOutcome) - {EffectOutcome.DRY_RUN},
    EffectOutcome.CREATED: {EffectOutcome.FAILED},
}


def rung_of(status: RecoveryRunStatus) -> Step:
    """The rung of the current step."""
    assert status.plan is not None
    return status.plan.ladder[len(status.steps) - 1]


def deadline_of(status: RecoveryRunStatus) -> datetime:
    """limits.timeout after the start; the time of approvals does not count."""
    assert status.plan is not None
    assert status.started_at is not None
    return status.started_at + status.plan.limits.timeout + timedelta(seconds=status.approval_seconds)


def check_answer(world: RunWorld, before: RecoveryRunStatus, answer: Advance) -> None:
    """One answer moves the run, its steps and its effects only as the tables have it."""
    after = answer.status
    dry = world.spec.dry_run
    if after.phase is not before.phase:
        legal = {*PHASE_MOVES[before.phase], *({P.SUCCEEDED} if dry and before.phase is P.PENDING else ())}
        assert after.phase in legal, f"{before.phase} → {after.phase}"
    assert (after.finished_at is not None) == (after.phase in FINAL)
    assert before.started_at in (None, after.started_at)
    assert before.plan in (None, after.plan)
    for old, new in zip(before.steps, after.steps, strict=False):
        assert old.name == new.name
        assert new.state is old.state or new.state in STEP_MOVES[old.state], f"{old.state} → {new.state}"
        _check_outcomes(old.effects, new.effects)
    assert len(after.steps) >= len(before.steps)
    fresh = after.steps[len(before.steps) :]
    assert dry or all(step.state is S.WAITING or step.result == "Skipped" for step in fresh)
    assert answer.effect is None or after.leader_term == world.term


def _check_outcomes(old: Sequence[EffectStatus], new: Sequence[EffectStatus]) -> None:
    known = {effect.id: effect.outcome for effect in new}
    assert len(known) == len(new), "one effect, one entry"
    for effect in old:
        outcome = known.get(effect.id, effect.outcome)
        assert outcome == effect.outcome or outcome in OUTCOME_MOVES.get(effect.outcome, set())


def check_effect(world: RunWorld, effect: EffectStatus, status: RecoveryRunStatus, asked: bool) -> None:
    """Before an effect: its intent is written, it is its turn, and nobody and nothing forbids it."""
    step, rung, target = status.steps[-1], rung_of(status), status.target
    assert not world.spec.dry_run
    assert status.phase is P.RUNNING
    assert target is not None
    assert [item.outcome for item in step.effects if item.id == effect.id] == [None], "an intent without an outcome"
    assert world.lease, "no effect without the target's Lease"
    custom = rung.action.run_job or rung.action.call_hook
    hook = rung.action.call_hook
    assert hook is None or hook.idempotent or not asked, "a Once effect is never asked for twice"
    if effect.kind in ("Notify", "UndoJob"):
        return
    assert step.state is S.ACTING
    assert rung.approval is None or step.approved_at is not None
    assert world.now <= deadline_of(status), "no effect after the end"
    assert CANCEL_ANNOTATION not in world.annotations
    assert not world.policy_deleted
    assert world.policy is not None
    assert world.policy.mode is not Mode.PAUSED
    assert world.rails.paused is None
    assert (world.target_uid, world.template) == (target.uid, target.template)
    if custom is not None and custom.breaker:
        assert world.breaker_lease, "no repair without the breaker's Lease"
    _check_gates(world, effect, status, custom.action_class if custom else "Disruptive")


def _check_gates(world: RunWorld, effect: EffectStatus, status: RecoveryRunStatus, class_: str) -> None:
    step = status.steps[-1]
    if class_ == "Disruptive":
        assert world.now >= world.rolling_until
    if effect.kind == "Evict":
        others = [item for item in step.effects if item.id != effect.id]
        assert all(item.settled_at or item.outcome is EffectOutcome.WITHDRAWN for item in others), "one at a time"
        restart, pod = rung_of(status).action.restart_pods, world.pods.get(effect.object)
        assert restart is None or restart.pods == "All" or pod is None or not pod.ready, (
            "a pod that is well is left alone"
        )
    if world.spec.force:
        return
    assert not world.denied
    if class_ in ("Disruptive", "Rollout"):
        last = world.breaker.last
        assert world.rails.storm is None
        assert world.breaker.state is CLOSED
        assert last is not None
        assert last.outcome is not Outcome.FAILURE
        assert step.entered_at is not None
        assert last.started_at >= step.entered_at, "a fresh probe"
    pod = world.pods.get(effect.object) if effect.kind == "Evict" else None
    if pod is not None and pod.ready:
        assert status.plan is not None
        share = int(status.plan.limits.min_healthy.rstrip("%")) / 100
        left = sum(item.ready and not item.meta.deleting for item in world.pods.values()) - 1
        assert left >= math.ceil(share * world.replicas)
