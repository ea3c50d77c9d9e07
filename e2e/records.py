"""What the operator's records say, for tests: decisions, runs, Events, metrics, and what the pager was told."""

from __future__ import annotations

import json
import re
from typing import Any

from e2e.kube import Kube, condition, status, wait_for

Record = dict[str, Any]


def decided(kube: Kube, policy: str) -> str:
    """The reason of a policy's last decision."""
    return str((status(kube.find("rp", policy)).get("lastDecision") or {}).get("reason", ""))


def blocked(kube: Kube, policy: str) -> str:
    """The reason of a policy's condition Blocked, "" while it is not blocked."""
    return str(condition(kube.find("rp", policy), "Blocked").get("reason", ""))


def await_decision(kube: Kube, policy: str, reason: str, *, seconds: float = 60.0) -> None:
    """Wait until a policy's last decision has this reason."""
    wait_for(
        lambda: decided(kube, policy) == reason,
        f"policy {policy} decides {reason}",
        seconds=seconds,
        instead=lambda: status(kube.find("rp", policy)).get("lastDecision"),
    )


def runs_of(kube: Kube, policy: str) -> list[Record]:
    """The runs of a policy, oldest first."""
    found = [item for item in kube.list("rr") if item["spec"]["policyName"] == policy]
    return sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], item["spec"].get("sequence", 0)))


def outcome(run: Record | None) -> tuple[str, str]:
    """Phase and reason of a run."""
    record = status(run)
    return record.get("phase", ""), record.get("reason", "")


def await_run(kube: Kube, policy: str, *, seconds: float = 60.0) -> Record:
    """The first run of a policy, once it is there."""
    return wait_for(lambda: next(iter(runs_of(kube, policy)), None), f"policy {policy} starts a run", seconds=seconds)


def await_reason(kube: Kube, run: str, reason: str, *, seconds: float = 60.0) -> Record:
    """A run, once its status has this reason."""

    def look() -> Record | None:
        found = kube.get("rr", run)
        return found if outcome(found)[1] == reason else None

    return wait_for(look, f"run {run} says {reason}", seconds=seconds, instead=lambda: status(kube.find("rr", run)))


def await_effect(kube: Kube, policy: str, *, seconds: float = 60.0) -> Record:
    """The first run of a policy, once it has had an effect."""

    def look() -> Record | None:
        return next((run for run in runs_of(kube, policy) if effects(run)), None)

    return wait_for(look, f"a run of policy {policy} acts", seconds=seconds)


def await_end(kube: Kube, run: str, *, seconds: float = 90.0) -> Record:
    """A run, once it has ended."""

    def look() -> Record | None:
        found = kube.find("rr", run)
        return found if status(found).get("finishedAt") else None

    return wait_for(look, f"run {run} ends", seconds=seconds, instead=lambda: status(kube.find("rr", run)))


def effects(run: Record) -> list[tuple[str, str]]:
    """Kind and outcome of every effect of a run whose outcome is known."""
    steps = status(run).get("steps", [])
    return [(item["kind"], item["outcome"]) for step in steps for item in step.get("effects", []) if "outcome" in item]


def results(run: Record) -> list[tuple[str, str]]:
    """Name and result of every step of a run."""
    return [(step["name"], step.get("result", "")) for step in status(run).get("steps", [])]


def events_of(kube: Kube, name: str) -> set[str]:
    """The reasons of the Events on an object."""
    found = kube.list("events", "--field-selector", f"involvedObject.name={name}")
    return {item["reason"] for item in found}


def decisions(operator: Kube, namespace: str) -> set[tuple[str, str]]:
    """Policy and reason of every decision that recovery_decisions_total has counted in a namespace."""
    counted = set()
    for pod in operator.pods("ultra-recovery"):
        path = f"/api/v1/namespaces/{operator.namespace}/pods/{pod}:8080/proxy/metrics"
        for line in operator.run("get", "--raw", path).splitlines():
            if line.startswith("recovery_decisions_total{"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                if labels["namespace"] == namespace:
                    counted.add((labels["policy"], labels["reason"]))
    return counted


def notes(kube: Kube) -> list[Record]:
    """The documents that the pager was sent."""
    (pod,) = kube.pods("pager")
    text = kube.run("get", "--raw", f"/api/v1/namespaces/{kube.namespace}/pods/{pod}:8080/proxy/notes")
    found: list[Record] = json.loads(text)
    return found


def make_sick(kube: Kube, app: str) -> str:
    """Make one pod of an app answer 503 from now on; its name."""
    pod = sorted(kube.pods(app))[0]
    kube.post(pod, "/fail?seconds=600")
    return pod


def ready_pods(kube: Kube, app: str) -> int:
    """How many pods of an app are Ready."""
    return int(status(kube.get("deployment", app)).get("readyReplicas", 0))
