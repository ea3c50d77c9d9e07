"""restartPods: a hung pod is replaced by eviction, and nothing else is touched."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from e2e.kube import Kube, condition, status, wait_for


def ended_run(kube: Kube, name: str = "web-1-1") -> dict[str, Any]:
    """The run, once it has ended."""

    def look() -> dict[str, Any] | None:
        run = kube.find("rr", name)
        return run if status(run).get("finishedAt") else None

    return wait_for(look, f"run {name} ends", seconds=150)


@pytest.mark.failure(
    of="Workload",
    what="A replica hangs",
    see="run `Succeeded`: that pod is evicted, the others are left alone",
    bound="acts as soon as the `for` of the trigger has passed",
)
def test_a_hung_pod_is_replaced_and_the_others_keep_their_uids(kube: Kube) -> None:
    before = kube.pods("web")
    victim = sorted(before)[0]
    kube.post(victim, "/hang")
    run = ended_run(kube)
    after = kube.pods("web")
    assert status(run)["phase"] == "Succeeded", status(run)
    assert set(before.values()) - set(after.values()) == {before[victim]}
    assert len(after) == 3
    record = status(run)
    times = [record[name] for name in ("faultObservedAt", "detectedAt", "startedAt", "recoveredAt", "finishedAt")]
    assert times == sorted(times)
    assert [effect["object"] for effect in record["steps"][0]["effects"]] == [victim]
    assert "Evicted" in kube.run("describe", "rr", "web-1-1")
    assert not kube.list("lease")


@pytest.mark.failure(
    of="Workload",
    what="All replicas hang",
    see="they are evicted one by one, the next when the replacement of the last is Ready",
    bound="1 at a time",
)
def test_all_replicas_hung_are_replaced_one_after_the_other(kube: Kube) -> None:
    before = kube.pods("web")
    for name in before:
        kube.post(name, "/hang")
    wait_for(lambda: not set(before.values()) & set(kube.pods("web").values()), "all pods are new", seconds=150)
    run = ended_run(kube)
    effects = [effect for item in kube.list("rr") for step in status(item)["steps"] for effect in step["effects"]]
    assert status(run)["phase"] == "Succeeded", status(run)
    assert sorted(effect["object"] for effect in effects) == sorted(before)
    ordered = sorted(effects, key=lambda effect: effect["intentAt"])
    assert all(first["settledAt"] <= second["intentAt"] for first, second in itertools.pairwise(ordered))


def test_a_single_replica_is_replaced_too(kube: Kube) -> None:
    kube.run("scale", "deployment/web", "--replicas=1")
    wait_for(lambda: len(kube.pods("web")) == 1, "one replica is left")
    kube.run("rollout", "status", "deployment/web", "--timeout=60s")
    wait_for(lambda: len(kube.list("pods", "-l", "app.kubernetes.io/name=web")) == 1, "the others are gone")
    ((name, uid),) = kube.pods("web").items()
    kube.post(name, "/hang")
    run = ended_run(kube)
    assert status(run)["phase"] == "Succeeded", status(run)
    assert uid not in kube.pods("web").values()


@pytest.mark.failure(
    of="Workload",
    what="A PodDisruptionBudget refuses the eviction",
    see="the run waits with `PodDisruptionBudget`, and goes on when the budget allows it",
    bound="`limits.timeout`, then `Cancelled`",
)
def test_a_disruption_budget_makes_the_run_wait_and_say_so(kube: Kube) -> None:
    kube.apply(
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, "
        "spec: {maxUnavailable: 0, selector: {matchLabels: {app.kubernetes.io/name: web}}}}"
    )
    before = kube.pods("web")
    wait_for(lambda: status(kube.get("pdb", "web")).get("expectedPods") == 3, "the budget is in force")
    kube.post(sorted(before)[0], "/hang")
    wait_for(
        lambda: status(kube.find("rr", "web-1-1")).get("reason") == "PodDisruptionBudget", "the run says why it waits"
    )
    assert kube.pods("web") == before
    assert "PodDisruptionBudget" in kube.run("describe", "rr", "web-1-1")
    wait_for(
        lambda: condition(kube.get("rp", "web"), "Blocked").get("reason") == "PodDisruptionBudget",
        "the policy says what its run waits for",
    )
    kube.run("delete", "pdb", "web")
    assert status(ended_run(kube))["phase"] == "Succeeded"


@pytest.mark.failure(
    of="Workload",
    what="Nothing helps",
    see="three runs `Failed`, then condition `NeedsHuman` and its alert; a reset of the policy starts anew",
    bound="`limits.maxAttempts`, 3",
)
def test_three_attempts_then_a_human_and_a_reset_starts_anew(kube: Kube) -> None:
    patch = (
        '{"spec":{"limits":{"interval":"1s","timeout":"60s"},"verify":{"healthyFor":"1s","within":"3s"},'
        '"ladder":[{"name":"restart","action":{"restartPods":{}},"timeout":"5s"}],'
        '"triggers":[{"name":"pods","podUnhealthy":{"startupGrace":"2s"},"for":"1s"}]}}'
    )
    kube.run("patch", "rp", "web", "--type=merge", "-p", patch)
    # From now on new pods never get Ready: a broken release that restarts cannot help.
    broken = (
        '[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/path","value":"/no-such-page"},'
        '{"op":"add","path":"/spec/strategy","value":{"type":"Recreate"}}]'
    )
    kube.run("patch", "deployment", "web", "--type=json", "-p", broken)
    wait_for(
        lambda: condition(kube.get("rp", "web"), "NeedsHuman").get("status") == "True", "a human is asked", seconds=240
    )
    attempts = [item for item in kube.list("rr") if any(step.get("effectCount") for step in status(item)["steps"])]
    assert len(attempts) == 3
    assert all(status(item)["phase"] == "Failed" for item in attempts)
    assert "NeedsHuman" in kube.run("describe", "rp", "web")
    count = len(kube.list("rr"))
    kube.reset("rp", "web", "1")
    wait_for(lambda: len(kube.list("rr")) > count, "a new attempt after the reset")
