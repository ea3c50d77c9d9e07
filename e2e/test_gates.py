"""Every gate refuses with its reason: as last decision, condition, Event and metric; and nothing is done."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest

from e2e.install import restart_operator
from e2e.kube import Kube, condition, status, wait_for
from e2e.records import (
    await_decision,
    await_end,
    await_reason,
    decided,
    decisions,
    events_of,
    make_sick,
    outcome,
    runs_of,
)
from e2e.small import apply, breaker, create, hook, policy, run_by_hand, workload

VAIN = hook("vain", "sick", "/heal")
EVER = {"name": "ever", "effect": "Deny", "schedule": "0 0 * * *", "duration": "24h"}
EXCLUDE = "recovery.ultra.dev/exclude=true"
PAUSE = "recovery.ultra.dev/paused=true"


def refuse(kube: Kube, operator: Kube, expected: Mapping[str, str]) -> None:
    """Each policy is refused for its reason, and says so everywhere."""
    for name, reason in expected.items():
        await_decision(kube, name, reason)
    counted = decisions(operator, kube.namespace)
    assert set(expected.items()) <= counted, counted
    for name, reason in expected.items():
        told = "NeedsHuman" if reason == "NeedsHuman" else "Blocked"
        assert condition(kube.get("rp", name), told).get("reason") == reason, name
        wait_for(
            lambda name=name, reason=reason: reason in events_of(kube, name) or None, f"an Event {reason} on {name}"
        )


def test_each_gate_before_a_run_refuses_with_its_reason(empty: Kube, operator: Kube) -> None:
    create(empty, workload("sick", replicas=2), workload("rolling"), workload("gone", replicas=0))
    apply(empty, breaker("gone"))
    wait_for(lambda: status(empty.get("cb", "gone")).get("state") == "Open", "the dependency is down")
    before = empty.pods("sick")
    apply(
        empty,
        policy("paused", "sick", mode="Paused"),
        policy("manual", "sick", mode="Manual"),
        policy("window", "sick", maintenanceWindows=[EVER]),
        policy("dependency", "sick", dependencies=[{"breaker": "gone"}]),
        policy("zero", "gone", triggers=[{"name": "down", "circuitOpen": {"breaker": "gone"}}]),
        policy("rollout", "rolling"),
    )
    spoil_rollout(empty, "rolling")
    make_sick(empty, "sick")
    expected = {
        "paused": "Paused",
        "manual": "Manual",
        "window": "MaintenanceWindow",
        "dependency": "DependencyOpen",
        "zero": "ScaledToZero",
        "rollout": "RolloutInProgress",
    }
    refuse(empty, operator, expected)
    empty.run("label", "deployment", "sick", EXCLUDE)
    refuse(empty, operator, {"window": "Excluded"})
    empty.run("annotate", "namespace", empty.namespace, PAUSE)
    refuse(empty, operator, {"window": "NamespacePaused", "dependency": "NamespacePaused"})
    assert empty.pods("sick") == before
    assert empty.list("rr") == []


def spoil_rollout(kube: Kube, name: str) -> None:
    """A rollout whose new pod never gets Ready, while the old pod is sick."""
    make_sick(kube, name)
    path = "/spec/template/spec/containers/0/readinessProbe/httpGet/path"
    patch = [{"op": "replace", "path": path, "value": "/no-such-page"}]
    kube.run("patch", "deployment", name, "--type=json", "-p", json.dumps(patch))


@pytest.mark.failure(
    of="Limits",
    what="A budget is used up",
    see="`Hold`/`Budget` names the level and when the next place is free; deleting runs gives nothing back",
    bound="`limits.budget`, 6 per hour",
)
def test_limits_refuse_the_next_run_and_deleting_runs_gives_nothing_back(empty: Kube, operator: Kube) -> None:
    create(empty, workload("sick", replicas=2))
    make_sick(empty, "sick")
    apply(
        empty,
        policy("budget", "sick", ladder=[VAIN], limits={"interval": "1s", "budget": {"runs": 1, "per": "1h"}}),
        policy("interval", "sick", ladder=[VAIN], limits={"interval": "1h"}),
        policy("human", "sick", ladder=[VAIN], limits={"interval": "1s", "maxAttempts": 1}),
    )
    refuse(empty, operator, {"budget": "Budget", "interval": "Interval", "human": "NeedsHuman"})
    assert all(len(runs_of(empty, name)) == 1 for name in ("budget", "interval", "human"))
    empty.run("delete", "rr", "--all")
    restart_operator(operator)
    time.sleep(3)
    assert [decided(empty, name) for name in ("budget", "interval", "human")] == ["Budget", "Interval", "NeedsHuman"]
    assert "budget of the policy is used up: 1 of 1" in status(empty.get("rp", "budget"))["lastDecision"]["message"]
    assert empty.list("rr") == []


@pytest.mark.failure(
    of="Limits",
    what="Two policies want the same target",
    see="one waits with `TargetLeased`, then with `Cooldown`",
    bound="1 run at a time",
)
def test_two_policies_on_one_target_take_turns_and_keep_to_the_cooldown(empty: Kube, operator: Kube) -> None:
    create(empty, workload("web", replicas=2))
    long = {"cooldown": "1h", "minHealthyPeriod": "1s"}
    apply(empty, policy("one", "web", limits=long), policy("two", "web", limits=long))
    before = empty.pods("web")
    sick = make_sick(empty, "web")
    wait_for(lambda: sick not in empty.pods("web"), "the sick pod is replaced")
    wait_for(lambda: all(status(run).get("finishedAt") for run in empty.list("rr")), "no run goes on")
    assert len(set(before.values()) - set(empty.pods("web").values())) == 1
    assert [run for run in empty.list("rr") if outcome(run)[0] == "Succeeded"]
    empty.run("rollout", "status", "deployment/web", "--timeout=60s")
    for name in ("one", "two"):
        wait_for(
            lambda name=name: (status(empty.get("rp", name)).get("incident") or {}).get("state", "Closed") == "Closed",
            "the incident closes",
        )
    after = empty.pods("web")
    make_sick(empty, "web")
    refuse(empty, operator, {"one": "Cooldown", "two": "Cooldown"})
    assert empty.pods("web") == after


@pytest.mark.failure(
    of="Workload",
    what="Too few pods would stay Ready",
    see="the run waits with `Quorum`; run and policy say so",
    bound="never below `limits.minHealthy`",
)
def test_a_quorum_holds_the_next_ready_pod_and_run_and_policy_say_so(empty: Kube, operator: Kube) -> None:
    create(empty, workload("web", replicas=2))
    everything = {"name": "all", "action": {"restartPods": {"pods": "All"}}, "timeout": "10s"}
    apply(empty, policy("web", mode="Manual", ladder=[everything], limits={"minHealthy": "100%", "timeout": "30s"}))
    before = empty.pods("web")
    apply(empty, run_by_hand("by-hand", "web"))
    await_reason(empty, "by-hand", "Quorum")
    refuse(empty, operator, {"web": "Quorum"})
    assert "Quorum" in events_of(empty, "by-hand")
    run = await_end(empty, "by-hand")
    assert outcome(run) == ("Cancelled", "Quorum")
    assert empty.pods("web") == before
