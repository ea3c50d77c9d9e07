"""Runs that people create, and runs that applications report."""

from __future__ import annotations

import pytest

from e2e.install import read
from e2e.kube import Kube, KubectlError, condition, status, wait_for
from e2e.records import await_end, effects, make_sick, outcome, ready_pods, results
from e2e.small import apply, create, policy, run_by_hand, workload

ALL = {"name": "all", "action": {"restartPods": {"pods": "All"}}, "timeout": "40s"}


def test_the_example_of_a_run_by_hand_takes_the_step_that_it_names(kube: Kube) -> None:
    kube.run("patch", "rp", "web", "--type=merge", "-p", '{"spec":{"mode":"Manual"}}')
    sick = make_sick(kube, "web")
    wait_for(lambda: condition(kube.get("rp", "web"), "Blocked").get("reason") == "Manual", "nothing is done by itself")
    name = kube.run("create", "-f", "-", "-o", "jsonpath={.metadata.name}", text=read("examples/web/run.yaml"))
    assert name.startswith("web-by-hand-")
    run = await_end(kube, name)
    assert (outcome(run)[0], [step[0] for step in results(run)]) == ("Succeeded", ["restart"])
    assert sick not in kube.pods("web")


def test_force_passes_an_open_dependency_and_needs_a_reason(kube: Kube) -> None:
    create(kube, workload("shop"))
    # The step waits for as long as it fits into the timeout: for two seconds.
    limits = {"timeout": "46s"}
    apply(kube, policy("shop", mode="Manual", ladder=[ALL], limits=limits, dependencies=[{"breaker": "inventory"}]))
    kube.run("scale", "deployment/inventory", "--replicas=0")
    wait_for(lambda: status(kube.get("cb", "inventory")).get("state") == "Open", "the dependency is down")
    before = kube.pods("shop")
    apply(kube, run_by_hand("held", "shop"))
    assert outcome(await_end(kube, "held")) == ("Cancelled", "DependencyOpen")
    assert kube.pods("shop") == before
    with pytest.raises(KubectlError, match="force goes with cause Manual and needs a reason"):
        apply(kube, run_by_hand("nameless", "shop", force=True))
    apply(kube, run_by_hand("forced", "shop", force=True, reason="ticket 4711"))
    run = await_end(kube, "forced")
    # It acted, and is judged by what is still down.
    assert (outcome(run)[0], effects(run)) == ("Failed", [("Evict", "Evicted")])
    assert not set(before) & set(kube.pods("shop"))


def test_a_policy_and_a_run_of_it_may_be_applied_in_one_file(empty: Kube) -> None:
    create(empty, workload("shop", replicas=2))
    before = empty.pods("shop")
    # Each kind is watched on its own: the run may well be seen before its policy is.
    apply(empty, policy("shop", mode="Manual", ladder=[ALL]), run_by_hand("at-once", "shop"))
    assert outcome(await_end(empty, "at-once")) == ("Inconclusive", "GoodBefore")
    assert not set(before) & set(empty.pods("shop"))


def test_reports_of_an_application_count_until_there_are_enough(empty: Kube) -> None:
    create(empty, workload("shop", replicas=2))
    lost = {"errorTypes": ["CACHE_CORRUPT"], "count": 2, "within": "5m"}
    apply(empty, policy("shop", ladder=[ALL], triggers=[{"name": "reported", "errorReported": lost}]))
    sick = make_sick(empty, "shop")
    wait_for(lambda: ready_pods(empty, "shop") == 1, "the pod is unready")
    reported = {"cause": "Reported", "errorType": "CACHE_CORRUPT"}
    apply(empty, run_by_hand("first", "shop", **reported))
    assert outcome(await_end(empty, "first")) == ("Cancelled", "CountNotReached")
    assert sick in empty.pods("shop")
    apply(empty, run_by_hand("unknown", "shop", cause="Reported", errorType="OTHER"))
    assert outcome(await_end(empty, "unknown")) == ("Cancelled", "NoTrigger")
    apply(empty, run_by_hand("second", "shop", **reported))
    assert outcome(await_end(empty, "second")) == ("Succeeded", "Verified")
    assert sick not in empty.pods("shop")
