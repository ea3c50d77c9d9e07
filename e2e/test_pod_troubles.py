"""Pods that a restart helps (killed for lack of memory), and pods that it does not help (CrashLoopBackOff)."""

from __future__ import annotations

import pytest

from e2e.kube import Kube, status, wait_for
from e2e.records import await_end, await_run, effects, notes, outcome, results
from e2e.small import RESTART, apply, create, page, policy, workload


def trigger(reason: str) -> list[dict[str, object]]:
    trouble = {"reasons": [reason], "startupGrace": "30s", "oom": {"count": 1, "within": "5m"}}
    return [{"name": "pods", "podUnhealthy": trouble, "for": "1s"}]


@pytest.mark.failure(
    of="Workload",
    what="A container is killed for lack of memory again and again, another crash-loops",
    see="the first pod is replaced; the crash-looping one is left alone, as restarts do not help it, and "
    "people are told",
    bound="`count` kills within `within`",
)
def test_a_pod_killed_for_lack_of_memory_is_replaced_and_a_crash_looping_one_is_only_told_of(empty: Kube) -> None:
    limited = {"limits": {"memory": "48Mi"}, "requests": {"memory": "24Mi"}}
    create(empty, workload("pager"), workload("hungry", resources=limited))
    apply(empty, *workload("looping", command=["sh", "-c", "exit 3"]))
    apply(
        empty,
        policy("hungry", triggers=trigger("OOMKilled")),
        policy("looping", triggers=trigger("CrashLoopBackOff"), ladder=[RESTART, page()], limits={"maxAttempts": 1}),
    )
    (name,) = empty.pods("hungry")
    looping = empty.pods("looping")
    empty.post(name, "/eat", check=False)
    run = await_end(empty, await_run(empty, "hungry")["metadata"]["name"])
    assert "killed for lack of memory" in empty.run("describe", "rp", "hungry")
    assert (outcome(run)[0], effects(run)) == ("Succeeded", [("Evict", "Evicted")])
    assert name not in empty.pods("hungry")
    run = await_end(empty, await_run(empty, "looping")["metadata"]["name"])
    assert results(run)[0] == ("restart", "NothingToDo")
    wait_for(lambda: [note["data"]["policy"] for note in notes(empty)] == ["looping"], "people are told")
    assert empty.pods("looping") == looping
    assert status(run)["phase"] in ("Failed", "Inconclusive", "Cancelled")
