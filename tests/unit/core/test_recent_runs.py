"""What a policy remembers of its runs."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.runs import NOW, run
from ultra_recovery.apis.policy_status import MAX_RECENT_RUNS, RecoveryPolicyStatus
from ultra_recovery.apis.recovery_policy import Budget
from ultra_recovery.core.budget import BudgetLevel, BudgetLimits, RunRecord, budget_refusal
from ultra_recovery.core.recent_runs import recent_runs

HOUR = 3600.0
DAY = 24 * HOUR


def names(recents) -> list[str]:
    return [recent.name for recent in recents]


def test_runs_are_remembered_oldest_first():
    found = recent_runs([], [run("b", created=10), run("a", created=20), run("c", "Running", created=5)], NOW)
    assert names(found) == ["a", "b", "c"]
    assert [recent.phase for recent in found] == ["Succeeded", "Succeeded", "Running"]


def test_what_is_remembered_follows_the_run_while_it_exists():
    before = recent_runs([], [run("a", "Pending", target="")], NOW)
    after = recent_runs(before, [run("a", "Failed", finished=1)], NOW)
    assert [(recent.phase, recent.effective, recent.target_uid) for recent in after] == [("Failed", True, "t1")]


def test_a_deleted_run_stays_remembered():
    before = recent_runs([], [run("a"), run("b", created=5)], NOW)
    assert recent_runs(before, [run("b", created=5)], NOW + timedelta(days=3)) == before


def test_a_run_that_vanished_while_it_ran_had_an_effect_and_is_over():
    before = recent_runs([], [run("a", "Running", effects=0)], NOW)
    later = NOW + timedelta(seconds=30)
    (recent,) = recent_runs(before, [], later)
    assert (recent.phase, recent.effective, recent.finished_at) == ("Running", True, later)
    assert recent_runs([recent], [], later + timedelta(hours=1)) == [recent]


def test_a_run_that_vanished_before_it_started_had_none():
    (recent,) = recent_runs(recent_runs([], [run("a", "Pending", target="")], NOW), [], NOW)
    assert (recent.effective, recent.finished_at) == (False, NOW)


def test_a_run_that_shows_up_again_goes_on():
    lost = recent_runs(recent_runs([], [run("a", "Running")], NOW), [], NOW)
    (recent,) = recent_runs(lost, [run("a", "Running")], NOW)
    assert recent.finished_at is None


def test_another_run_of_the_same_name_is_another_run():
    before = recent_runs([], [run("a", uid="one")], NOW)
    assert [item.uid for item in recent_runs(before, [run("a", uid="two", created=5)], NOW)] == ["one", "two"]


def test_what_nobody_needs_is_forgotten_first():
    old = [run(f"old-{index}", created=2 * DAY + index) for index in range(3)]
    mine = run("of-incident", created=9 * DAY, incident=7)
    vain = [run(f"vain-{index}", created=HOUR + index, effects=0) for index in range(3)]
    going_on = run("running", "Running", created=3 * DAY)
    needed = [run(f"r{index}", created=60 + index) for index in range(MAX_RECENT_RUNS - 4)]
    found = names(recent_runs([], [*old, mine, *vain, going_on, *needed], NOW, open_incident=7))
    assert len(found) == MAX_RECENT_RUNS
    assert found[0] == "of-incident"
    assert {"running", "vain-0", "vain-1", "r0", f"r{MAX_RECENT_RUNS - 5}"} <= set(found)
    assert not {"old-0", "old-1", "old-2", "vain-2"} & set(found)


def test_the_hard_limit_takes_the_oldest_even_if_they_are_needed():
    needed = [run(f"r{index:02}", created=100 - index) for index in range(MAX_RECENT_RUNS + 3)]
    found = names(recent_runs([], [*needed, run("running", "Running", created=DAY)], NOW))
    assert (len(found), found[0], found[1]) == (MAX_RECENT_RUNS, "running", "r04")


runs = st.lists(
    st.builds(
        run,
        st.integers(0, 200).map(str),
        st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Cancelled"]),
        created=st.floats(0, 3 * DAY),
        effects=st.integers(0, 1),
    ),
    max_size=100,
    unique_by=lambda item: item.meta.uid,
)


@given(runs, runs)
def test_memory_is_bounded_ordered_and_stable(before, now_there):
    first = recent_runs([], before, NOW)
    found = recent_runs(first, now_there, NOW)
    assert len(found) <= MAX_RECENT_RUNS
    assert found == sorted(found, key=lambda recent: (recent.created_at, recent.name, recent.uid))
    assert recent_runs(found, now_there, NOW) == found
    RecoveryPolicyStatus.model_validate(RecoveryPolicyStatus(recent_runs=found).to_wire())


@given(runs, st.integers(1, 60), st.integers(1, 24))
def test_deleting_every_run_gives_no_budget_back(before, most, hours):
    limits = BudgetLimits(Budget(runs=most, per=timedelta(hours=hours)))
    records = [RunRecord.of_run(item) for item in before]
    remembered = recent_runs(recent_runs([], before, NOW), [], NOW)
    kept = [RunRecord.of_recent("shop", "web", recent) for recent in remembered]
    over = [record.vanished(NOW) for record in records]
    refused = budget_refusal({BudgetLevel.POLICY: over}, limits, NOW)
    still = budget_refusal({BudgetLevel.POLICY: kept}, limits, NOW)
    assert (refused is None) is (still is None)
