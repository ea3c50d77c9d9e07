"""Act 1: a replica hangs; it is replaced, the others are left alone."""

from __future__ import annotations

from typing import Any

from e2e.demo.timeline import Moment, Show, parse
from e2e.kube import Kube, status, wait_for


def hung_replica(kube: Kube, show: Show) -> list[str]:
    """Show the act; what was not as it should be."""
    before = kube.pods("web")
    victim = sorted(before)[0]
    show.begin(f"Act 1: {victim} hangs: it accepts connections and never answers")
    kube.post(victim, "/hang")
    show.line(None, "fault: the replica hangs")
    run = wait_for(lambda: next(iter(kube.list("rr")), None), "a run is started")
    name = run["metadata"]["name"]
    show.follow(
        lambda: moments(name, status(kube.get("rr", name)), "the pod's readiness failed"),
        lambda: "finishedAt" in status(kube.get("rr", name)),
        seconds=120,
    )
    run = kube.get("rr", name)
    after = kube.pods("web")
    problems = []
    if status(run).get("phase") != "Succeeded":
        problems.append(f"run {name} ended {status(run).get('phase')}: {status(run).get('message')}")
    if len(set(before.values()) & set(after.values())) != 2 or before[victim] in after.values():
        problems.append("exactly the hung pod should have been replaced")
    _times(run, show)
    return problems


def moments(name: str, record: dict[str, Any], observed: str) -> list[Moment]:
    """What a run has recorded so far; `observed` says what the first bad observation was."""
    found: list[Moment] = []

    def note(when: str | None, text: str) -> None:
        if when:
            found.append((when, text))

    note(record.get("faultObservedAt"), f"first bad observation ({observed})")
    note(record.get("detectedAt"), "detected: bad for as long as the trigger's `for` asks")
    note(record.get("startedAt"), f"run {name} started, with the target's Lease")
    for step in record.get("steps", []):
        for effect in step.get("effects", []):
            note(
                effect.get("outcomeAt"), f"step {step['name']}: {effect['object']} {effect.get('outcome', '').lower()}"
            )
            settled = "its replacement is Ready" if effect["kind"] == "Evict" else "its Job has finished"
            note(effect.get("settledAt"), f"step {step['name']}: {settled}")
        note(step.get("goodSince"), "all signals good")
    note(record.get("finishedAt"), f"{record.get('phase')}: {record.get('message', '')}")
    return found


def _times(run: dict[str, Any], show: Show) -> None:
    record = status(run)

    def between(begin: str, end: str) -> str:
        if begin not in record or end not in record:
            return "unknown"
        return f"{(parse(record[end]) - parse(record[begin])).total_seconds():.2f} s"

    show.say(f"time to detect  {between('faultObservedAt', 'detectedAt')} (2 s of it asked for by the trigger)")
    show.say(f"time to recover {between('faultObservedAt', 'recoveredAt')} (first bad observation → all good again)")
