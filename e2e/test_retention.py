"""Completed runs go when the policy's history is full, and not before everybody is done with them."""

from __future__ import annotations

from e2e.kube import Kube, wait_for
from e2e.records import await_end, outcome
from e2e.small import apply, create, policy, run_by_hand, workload


def test_a_run_that_nobody_wants_to_keep_is_deleted_some_time_after_its_end(empty: Kube) -> None:
    create(empty, workload("tidy"))
    apply(empty, policy("tidy", history={"cancelled": 0}), policy("keeps", "tidy"))
    apply(empty, run_by_hand("gone", "tidy", steps=["none"]), run_by_hand("kept", "keeps", steps=["none"]))
    for name in ("gone", "kept"):
        assert outcome(await_end(empty, name)) == ("Cancelled", "StepNotFound")
    wait_for(lambda: empty.find("rr", "gone") is None, "the run is deleted", seconds=150)
    assert empty.find("rr", "kept") is not None
