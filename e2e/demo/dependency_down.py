"""Act 2: a dependency goes down; the pods that need it are left alone, and it is said why, until it is back."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.demo.timeline import Moment, Show
from e2e.kube import Kube, condition, status

PATIENCE = 90.0


def dependency_down(kube: Kube, show: Show) -> list[str]:
    """Show the act; what was not as it should be."""
    pods, runs = kube.pods("web"), len(kube.list("rr"))
    show.begin("Act 2: the inventory goes down; web needs it")
    kube.run("scale", "deployment/inventory", "--replicas=0")
    show.line(None, "fault: inventory scaled to zero")
    problems = []
    if not show.follow(lambda: _records(kube), lambda: _is_blocked(kube), PATIENCE):
        problems.append("the open breaker should have held the restart of web")
    if status(kube.get("cb", "inventory")).get("consecutiveFailures", 0) < 5:
        problems.append("the breaker opened before the 5th failure")
    if "DependencyOpen" not in kube.run("describe", "rp", "web"):
        problems.append("kubectl describe rp web should say DependencyOpen")
    kube.run("scale", "deployment/inventory", "--replicas=1")
    show.line(None, "inventory scaled up again")
    if not show.follow(lambda: _after(kube), lambda: _is_well(kube), PATIENCE):
        problems.append("web should be Ready and the breaker Closed again")
    touched = set(pods.values()) - set(kube.pods("web").values())
    show.line(None, f"web: {len(pods) - len(touched)} of {len(pods)} pods are the same as before the fault")
    if touched:
        problems.append("pods of web were restarted while its dependency was down")
    acted = [run for run in kube.list("rr")[runs:] if any(step.get("effectCount") for step in status(run)["steps"])]
    if acted:
        problems.append("a run acted although the dependency was down")
    return problems


def _records(kube: Kube) -> Iterator[Moment]:
    """What the breaker and the policy say."""
    breaker, policy = status(kube.get("cb", "inventory")), status(kube.get("rp", "web"))
    if breaker.get("state") == "Open":
        yield breaker["since"], f"breaker inventory Open: {breaker['reason']}: {breaker['message']}"
    ready = status(kube.get("deployment", "web")).get("readyReplicas", 0)
    if ready == 0:
        yield None, "web: 0 of 3 pods Ready, all of them running"
    last = policy.get("lastDecision", {})
    if last.get("decision") == "Hold":
        yield last["time"], f"policy web: {last['decision']}/{last['reason']}: {last['message']}"


def _after(kube: Kube) -> Iterator[Moment]:
    breaker, policy = status(kube.get("cb", "inventory")), status(kube.get("rp", "web"))
    if breaker.get("state") != "Open":
        yield breaker["since"], f"breaker inventory {breaker['state']}: {breaker['reason']}: {breaker['message']}"
    if status(kube.get("deployment", "web")).get("readyReplicas", 0) == 3:
        yield None, "web: 3 of 3 pods Ready"
    last = policy.get("lastDecision", {})
    if last.get("decision") == "Wait" and last.get("reason") == "Observing":
        yield last["time"], f"policy web: {last['decision']}/{last['reason']}: {last['message']}"


def _is_blocked(kube: Kube) -> bool:
    held = condition(kube.get("rp", "web"), "Blocked").get("reason") == "DependencyOpen"
    opened = status(kube.get("cb", "inventory")).get("state") == "Open"
    return held and opened and status(kube.get("deployment", "web")).get("readyReplicas", 0) == 0


def _is_well(kube: Kube) -> bool:
    closed = status(kube.get("cb", "inventory")).get("state") == "Closed"
    return closed and status(kube.get("deployment", "web")).get("readyReplicas", 0) == 3
