"""A dependency is down: the pods that need it are left alone, it is said why, and its return is awaited."""

from __future__ import annotations

import time

import pytest

from e2e.kube import Kube, status, wait_for
from e2e.records import await_decision, await_reason, await_run, blocked, decisions, events_of, ready_pods


def scale_inventory(kube: Kube, replicas: int) -> None:
    kube.run("scale", "deployment/inventory", f"--replicas={replicas}")


@pytest.mark.failure(
    of="Dependency",
    what="A dependency is down and its users fail with it",
    see="no pod is restarted: `Hold`/`DependencyOpen` names the dependency; afterwards the same pods are Ready",
    bound="0 evictions",
)
def test_while_a_dependency_is_down_no_pod_is_restarted_and_afterwards_all_are_ready(
    kube: Kube, operator: Kube
) -> None:
    before = kube.pods("web")
    scale_inventory(kube, 0)
    wait_for(lambda: ready_pods(kube, "web") == 0, "web is unready without its inventory")
    await_decision(kube, "web", "DependencyOpen")
    assert blocked(kube, "web") == "DependencyOpen"
    wait_for(lambda: "dependency inventory is Open" in kube.run("describe", "rp", "web"), "it says why")
    assert "DependencyOpen" in events_of(kube, "web")
    assert ("web", "DependencyOpen") in decisions(operator, kube.namespace)
    time.sleep(5)
    assert kube.pods("web") == before
    scale_inventory(kube, 1)
    wait_for(lambda: ready_pods(kube, "web") == 3, "web is ready again")
    wait_for(lambda: blocked(kube, "web") == "", "nothing blocks any more")
    assert kube.pods("web") == before
    assert not [run for run in kube.list("rr") if any(step.get("effectCount") for step in status(run)["steps"])]


@pytest.mark.failure(
    of="Dependency",
    what="A dependency died a moment ago and its breaker is still Closed",
    see="a fresh probe right before the step finds it: `DependencyOpen`",
    bound="one probe, `probe.timeout`",
)
def test_a_dependency_that_died_a_moment_ago_is_found_by_a_fresh_probe_before_the_step(kube: Kube) -> None:
    slow = '{"spec":{"probe":{"interval":"10m"}}}'
    kube.run("patch", "cb", "inventory", "--type=merge", "-p", slow)
    before = kube.pods("web")
    time.sleep(3)
    scale_inventory(kube, 0)
    run = await_run(kube, "web")
    await_reason(kube, run["metadata"]["name"], "DependencyOpen")
    assert status(kube.get("cb", "inventory"))["state"] == "Closed"
    assert "DependencyOpen" in kube.run("describe", "rr", run["metadata"]["name"])
    scale_inventory(kube, 1)
    ended = await_reason(kube, run["metadata"]["name"], "SelfRecovered")
    assert status(ended)["phase"] == "Cancelled"
    assert kube.pods("web") == before
