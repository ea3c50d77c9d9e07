"""Budgets: what counts, at which level, and when the next place is free."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.runs import NOW, ago, run
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Budget
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, StepState, StepStatus
from ultra_recovery.core.budget import HOUR, BudgetLevel, BudgetLimits, RunRecord, budget_refusal, counts, merge_records

LIMITS = BudgetLimits(Budget(runs=3, per=timedelta(minutes=30)), 4, 5, 6)


def record(name="r", phase="Succeeded", **fields) -> RunRecord:
    return RunRecord.of_run(run(name, phase, **fields))


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        pytest.param(record(), True, id="with an effect"),
        pytest.param(record(effects=0), False, id="without an effect"),
        pytest.param(record(phase="Failed"), True, id="failed with an effect"),
        pytest.param(record(created=3599.9), True, id="started a moment less than an hour ago"),
        pytest.param(record(created=3600), False, id="started an hour ago"),
        pytest.param(record(created=7200, started=60), True, id="created long ago, started lately"),
        pytest.param(record(created=7200, finished=60), False, id="started long ago, ended lately"),
        pytest.param(record(phase="Pending", effects=0, target=""), True, id="pending: it may have one yet"),
        pytest.param(record(phase="Running", effects=0, created=7200), True, id="running for long"),
        pytest.param(record(phase="AwaitingApproval", effects=0), True, id="waits for approval"),
        pytest.param(record(dryRun=True), False, id="dry run"),
        pytest.param(record(phase="Running", dryRun=True), False, id="dry run that goes on"),
        pytest.param(record(phase="Running").vanished(NOW), True, id="vanished while it ran"),
        pytest.param(record(phase="Running", effects=0).vanished(NOW), True, id="vanished before its first effect"),
        pytest.param(record(phase="Running", created=3600).vanished(NOW), False, id="vanished, started an hour ago"),
        pytest.param(record(phase="Pending", target="").vanished(NOW), False, id="vanished before it started"),
    ],
)
def test_what_counts(seen, counted):
    assert counts(seen, HOUR, NOW) is counted


@pytest.mark.parametrize(
    ("kind", "outcome", "effective"),
    [
        ("Evict", EffectOutcome.WITHDRAWN, False),
        ("Evict", EffectOutcome.FAILED, False),
        ("CallHook", EffectOutcome.UNKNOWN, True),
        ("CallHook", None, True),
        ("Notify", EffectOutcome.UNKNOWN, False),
        ("Notify", None, False),
    ],
)
def test_an_effect_without_a_known_outcome_counts(kind, outcome, effective):
    effect = EffectStatus(kind=kind, object="x", id="x", intent_at=NOW, outcome=outcome)
    item = run("r", "Inconclusive", effects=0)
    step = StepStatus(name="restart", state=StepState.DONE, effects=[effect])
    item = replace(item, status=item.status.model_copy(update={"steps": [step]}))
    assert RunRecord.of_run(item).effective is effective


def many(count: int, **fields) -> list[RunRecord]:
    return [record(f"r{index}", **fields) for index in range(count)]


@pytest.mark.parametrize(
    ("level", "most", "per"),
    [
        (BudgetLevel.POLICY, 3, "30m"),
        (BudgetLevel.WORKLOAD, 4, "1h"),
        (BudgetLevel.NAMESPACE, 5, "1h"),
        (BudgetLevel.CLUSTER, 6, "1h"),
    ],
)
def test_every_level_has_its_own_limit(level, most, per):
    assert budget_refusal({level: many(most - 1)}, LIMITS, NOW) is None
    refusal = budget_refusal({level: many(most)}, LIMITS, NOW)
    assert refusal is not None
    assert refusal.reason is Reason.BUDGET
    assert f"the budget of the {level} is used up: {most} of {most} runs within {per}" in refusal.message


def test_the_smallest_level_that_is_used_up_is_named():
    everything = dict.fromkeys(BudgetLevel, many(9))
    refusal = budget_refusal(everything, LIMITS, NOW)
    assert refusal is not None
    assert "of the policy" in refusal.message


@pytest.mark.parametrize(
    ("records", "free_at", "words"),
    [
        pytest.param(
            [record(f"r{age}", created=age) for age in (60, 120, 1000)],
            ago(1000) + timedelta(minutes=30),
            "3 of 3 runs within 30m; the next is possible at 12:13:20 UTC",
            id="when the oldest leaves the window",
        ),
        pytest.param(
            [record(f"r{age}", created=age) for age in (60, 120, 180, 1000)],
            ago(180) + timedelta(minutes=30),
            "4 of 3 runs within 30m; the next is possible at 12:27:00 UTC",
            id="one too many: when the second oldest leaves it",
        ),
        pytest.param(
            [*many(2), record("x", "Running")],
            ago(60) + timedelta(minutes=30),
            "3 of 3 runs within 30m, 1 of them not over; the next is possible at 12:29:00 UTC",
            id="one goes on",
        ),
        pytest.param(
            many(3, phase="Running"),
            None,
            "3 of 3 runs within 30m, 3 of them not over; one of them has to end first",
            id="all go on",
        ),
    ],
)
def test_a_refusal_says_when_the_next_place_is_free(records, free_at, words):
    refusal = budget_refusal({BudgetLevel.POLICY: records}, LIMITS, NOW)
    assert refusal is not None
    assert refusal.next_look == free_at
    assert refusal.message.endswith(words)
    if free_at is not None:
        ended = [item for item in records if item.completed]
        assert budget_refusal({BudgetLevel.POLICY: ended}, LIMITS, free_at) is None


def test_a_run_that_exists_wins_over_what_is_remembered_of_it():
    remembered = [record("a", "Pending", target=""), record("b", created=50)]
    merged = merge_records([record("a", "Running")], remembered)
    assert [(item.name, item.phase, item.completed) for item in merged] == [
        ("a", "Running", False),
        ("b", "Succeeded", True),
    ]


def test_a_run_that_vanished_while_it_ran_had_an_effect():
    (merged,) = merge_records([], [record("a", "Running", effects=0)])
    assert merged.completed
    assert merged.effective
    assert merged.phase == "Running"


@pytest.mark.parametrize(
    ("other", "first"),
    [
        pytest.param(record("b", "Running", created=1), True, id="one that started"),
        pytest.param(record("b", "Pending", created=1, target=""), True, id="the operator's own"),
        pytest.param(record("b", "Pending", created=1, target="", cause="Manual"), False, id="a younger manual one"),
        pytest.param(record("b", "Pending", created=99, target="", cause="Manual"), True, id="an older manual one"),
        pytest.param(record("b", created=1), True, id="one that is over"),
    ],
)
def test_who_goes_before_a_manual_run_that_waits(other, first):
    assert other.goes_before(record("a", "Pending", target="", cause="Manual")) is first


def test_a_record_is_remembered_and_read_again_as_it_was():
    seen = record("a", "Failed")
    assert RunRecord.of_recent("shop", "web", seen.to_recent()) == seen
