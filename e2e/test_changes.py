"""What changes during a run: the target recreated, rolled out, scaled; the run, its policy or namespace stopped."""

from __future__ import annotations

import pytest

from e2e.kube import Kube, status
from e2e.records import await_decision, await_effect, await_end, effects, make_sick, outcome, results, runs_of
from e2e.small import apply, create, cron_job, hook, job, policy, workload

SLOW = cron_job("slow", "sleep 5; echo '{\"changed\": true}' > /dev/termination-log")
NEVER = hook("never", "pager", "/notes")


def begin(kube: Kube, *names: str) -> dict[str, str]:
    """A run for each of these targets, in the middle of a Job that does not help; the names of the runs."""
    create(kube, *(workload(name) for name in names))
    ladder = [{**job("slow", "slow"), "timeout": "25s"}, NEVER]
    apply(kube, SLOW, *(policy(name, ladder=ladder, limits={"interval": "1h"}) for name in names))
    for name in names:
        make_sick(kube, name)
    return {name: await_effect(kube, name)["metadata"]["name"] for name in names}


@pytest.mark.failure(
    of="Workload",
    what="The target is deleted, recreated or rolled out by somebody during a run",
    see="`Cancelled` with `TargetGone`, or `Inconclusive` with `TargetChanged`; scaling does not matter",
    bound="before the next effect",
)
def test_a_target_that_is_recreated_ends_the_run_a_rollout_proves_nothing_and_scaling_does_not_matter(
    empty: Kube,
) -> None:
    runs = begin(empty, "recreated", "rolled", "scaled")
    empty.run("scale", "deployment/scaled", "--replicas=2")
    empty.run("set", "env", "deployment/rolled", "NEW=1")
    empty.run("delete", "deployment", "recreated")
    apply(empty, *workload("recreated"))
    assert outcome(await_end(empty, runs["recreated"])) == ("Cancelled", "TargetGone")
    rolled = await_end(empty, runs["rolled"])
    assert outcome(rolled) == ("Inconclusive", "TargetChanged")
    assert effects(rolled) == [("CreateJob", "Created")]
    assert (status(empty.get("rp", "rolled")).get("incident") or {}).get("attempts", 0) == 0
    scaled = await_end(empty, runs["scaled"])
    assert outcome(scaled)[0] in ("Failed", "Error"), status(scaled)
    assert results(scaled)[0] == ("slow", "Unverified")
    assert not empty.list("lease")


def test_whoever_stops_a_run_has_the_step_finished_and_judged_first(empty: Kube) -> None:
    runs = begin(empty, "paused", "deleted", "cancelled")
    empty.run("patch", "rp", "paused", "--type=merge", "-p", '{"spec":{"mode":"Paused"}}')
    empty.run("delete", "rp", "deleted", "--timeout=10s")
    empty.run("annotate", "rr", runs["cancelled"], "recovery.ultra.dev/cancel-requested-at=now")
    wanted = {"paused": "Paused", "deleted": "PolicyGone", "cancelled": "CancelRequested"}
    for name, reason in wanted.items():
        run = await_end(empty, runs[name])
        assert outcome(run) == ("Cancelled", reason), status(run)
        assert results(run) == [("slow", "Unverified")]
        assert effects(run) == [("CreateJob", "Created")]
    assert not empty.list("lease")


@pytest.mark.failure(
    of="Limits",
    what="Somebody pauses the namespace during a run",
    see="the step is finished and verified, the run ends `Cancelled`, no other begins",
    bound="before the next step",
)
def test_the_big_red_button_stops_what_runs_and_what_would_begin(empty: Kube) -> None:
    runs = begin(empty, "running")
    empty.run("annotate", "namespace", empty.namespace, "recovery.ultra.dev/paused=true")
    create(empty, workload("later"))
    apply(empty, policy("later"))
    make_sick(empty, "later")
    await_decision(empty, "later", "NamespacePaused")
    run = await_end(empty, runs["running"])
    assert outcome(run) == ("Cancelled", "NamespacePaused")
    assert results(run) == [("slow", "Unverified")]
    assert runs_of(empty, "later") == []
    empty.run("annotate", "namespace", empty.namespace, "recovery.ultra.dev/paused-")
    assert outcome(await_end(empty, await_effect(empty, "later")["metadata"]["name"]))[0] == "Succeeded"
