"""How large a run may become, and what is left out first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ultra_recovery.apis.run_status import (
    EffectOutcome,
    EffectStatus,
    Plan,
    RecoveryRunStatus,
    RunPhase,
    StepResult,
    StepState,
    StepStatus,
)
from ultra_recovery.core.run_size import MAX_BYTES, bounded, size_of

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LONG = "ö" * 1024
EVIDENCE = '{"rows": "' + "x" * 2030 + '"}'


def effect(index: int, outcome: EffectOutcome | None = EffectOutcome.EVICTED, **fields: Any) -> EffectStatus:
    settled = NOW if outcome in (EffectOutcome.EVICTED, EffectOutcome.GONE) else None
    usual = {
        "kind": "Evict",
        "object": f"checkout-backend-deployment-6d4cf56db6-x2x{index:02}" + "-long" * 8,
        "id": f"00000000-0000-4000-8000-{index:012}",
        "intent_at": NOW,
        "outcome": outcome,
        "outcome_at": NOW if outcome else None,
        "settled_at": settled,
    }
    return EffectStatus(**{**usual, **fields})


def step(index: int, *, done: bool = True, **fields: Any) -> StepStatus:
    times = ("entered_at", "started_at", "approval_requested_at", "approved_at", "pods_until", "verify_started_at")
    usual: dict[str, Any] = {
        "name": f"step-{index:02}" + "-long" * 10,
        "state": StepState.DONE if done else StepState.ACTING,
        "result": StepResult.UNVERIFIED if done else None,
        "reason": "DeadlineExceeded",
        "effects": [effect(number, message=LONG) for number in range(20)],
        "effect_count": 57,
        "message": LONG,
        "evidence": EVIDENCE,
        **dict.fromkeys(times, NOW + timedelta(seconds=index)),
    }
    return StepStatus(**{**usual, **fields})


def plan() -> Plan:
    names = [f"step-{index:02}" for index in range(16)]
    return Plan.model_validate(
        {
            "policyGeneration": 7,
            "targetRef": {"kind": "Deployment", "name": "web"},
            "triggers": [{"name": f"trigger-{index}", "circuitOpen": {"breaker": "orders-db"}} for index in range(4)],
            "ladder": [{"name": name, "action": {"runJob": {"cronJobName": "repair"}}} for name in names],
            "verify": {},
            "limits": {},
        }
    )


def status(*steps: StepStatus, message: str = "why") -> RecoveryRunStatus:
    name = steps[-1].name if steps else None
    return RecoveryRunStatus(
        phase=RunPhase.RUNNING, reason="StepRunning", message=message, plan=plan(), steps=list(steps), current_step=name
    )


def test_a_run_of_usual_size_is_left_alone():
    small = status(step(0, effects=[effect(0)], message="why", evidence="{}"), step(1, done=False, effects=[]))
    assert bounded(small) is small


def test_the_worst_case_fits():
    worst = status(*[step(index) for index in range(15)], step(15, done=False), message=LONG)
    found = bounded(worst)
    assert size_of(worst) > 20 * MAX_BYTES
    assert size_of(found) <= MAX_BYTES
    assert [item.effect_count for item in found.steps] == [57] * 16
    assert (found.plan, found.current_step) == (worst.plan, worst.current_step)
    RecoveryRunStatus.model_validate(found.to_wire())


def test_old_evidence_goes_first_and_the_newest_of_a_done_step_stays():
    steps = [step(index, effects=[], message="why") for index in range(15)]
    found = bounded(status(*steps, step(15, done=False, effects=[], message="why")))
    left = [index for index, item in enumerate(found.steps) if item.evidence is not None]
    assert left == list(range(left[0], 16))
    assert 0 < left[0] <= 14
    assert [item.message for item in found.steps] == ["why"] * 16


@pytest.mark.parametrize(
    ("done", "kept"),
    [
        pytest.param(2, [20, 20], id="nothing has to go"),
        pytest.param(4, [3, 20, 20, 20], id="the oldest list goes down to the newest three"),
        pytest.param(6, [3, 3, 3, 20, 20, 20], id="and so on"),
    ],
)
def test_old_effects_go_next(done, kept):
    steps = [step(index, evidence=None, message="why", effects=effects()) for index in range(done)]
    found = bounded(status(*steps, step(done, done=False, effects=[], evidence=None, message="why")))
    assert [len(item.effects) for item in found.steps[:-1]] == kept
    assert {item.message for item in found.steps} == {"why"}
    assert [item.id for item in found.steps[0].effects] == [item.id for item in effects()[-kept[0] :]]


def effects() -> list[EffectStatus]:
    return [effect(number, message="m" * 60) for number in range(20)]


@pytest.mark.parametrize(
    ("outcome", "settled", "needed"),
    [
        pytest.param(None, None, True, id="an intent without an outcome"),
        pytest.param(EffectOutcome.EVICTED, None, True, id="evicted, no replacement yet"),
        pytest.param(EffectOutcome.GONE, None, True, id="gone, no replacement yet"),
        pytest.param(EffectOutcome.CREATED, None, True, id="a Job that goes on"),
        pytest.param(EffectOutcome.UNKNOWN, None, True, id="an outcome that stays unknown"),
        pytest.param(EffectOutcome.FAILED, None, True, id="a failure: it decides about the step"),
        pytest.param(EffectOutcome.CREATED, NOW, False, id="a Job that is done"),
        pytest.param(EffectOutcome.WITHDRAWN, None, False, id="withdrawn"),
        pytest.param(EffectOutcome.DELIVERED, None, False, id="delivered"),
    ],
)
def test_what_resuming_or_undoing_needs_is_never_left_out(outcome, settled, needed):
    first = effect(0, outcome, settled_at=settled)
    rest = [effect(number, message=LONG) for number in range(1, 20)]
    worst = status(*[step(index, effects=[first, *rest]) for index in range(15)], step(15, done=False))
    found = bounded(worst)
    assert all((first.id in [item.id for item in old.effects]) is needed for old in found.steps[:-1])


texts = st.sampled_from([None, "", "why", LONG, "x" * 1024, "\0" * 1024, "😀" * 1024, '"' * 300])
settled = st.builds(effect, st.integers(0, 99), message=texts)
opened = st.builds(effect, st.integers(0, 99), st.sampled_from([None, EffectOutcome.CREATED, EffectOutcome.UNKNOWN]))
evidence = st.sampled_from([None, "{}", EVIDENCE, "€" * 2048])
finished = st.lists(settled, max_size=19).flatmap(lambda many: st.lists(opened, max_size=1).map(lambda few: few + many))
done_steps = st.builds(step, st.integers(0, 99), effects=finished, message=texts, evidence=evidence)
last_steps = st.builds(
    step,
    st.integers(0, 99),
    done=st.booleans(),
    effects=st.lists(settled | opened, max_size=20),
    message=texts,
    evidence=evidence,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(done_steps, max_size=15), last_steps, texts)
def test_every_run_fits_and_keeps_what_it_needs(done, last, message):
    whole = status(*done, last, message=message or "")
    found = bounded(whole)
    assert size_of(found) <= MAX_BYTES
    assert bounded(found) == found
    facts = {"name", "state", "result", "effect_count", "started_at", "verify_started_at", "pods_until"}
    for before, after in zip(whole.steps, found.steps, strict=True):
        assert before.model_dump(include=facts) == after.model_dump(include=facts)
        needed = [item.id for item in before.effects if item.settled_at is None]
        assert needed == [item.id for item in after.effects if item.settled_at is None]
    assert found.plan == whole.plan
    RecoveryRunStatus.model_validate(found.to_wire())
