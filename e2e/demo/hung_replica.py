"""`make demo`: breaks a real service in front of your eyes and shows how it heals, from the records themselves."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any

from e2e.install import EXAMPLES, apply_examples, install_operator, make_namespace, read
from e2e.kube import Kube, condition, status, wait_for

NAMESPACE = "ultra-demo"


def parse(text: str) -> datetime:
    """A time of a record."""
    return datetime.fromisoformat(text)


class Show:
    """Prints a timeline whose zero is the moment of the fault."""

    def __init__(self) -> None:
        self.zero = datetime.now(UTC)

    def begin(self, title: str) -> None:
        print(f"\n── {title}", flush=True)
        self.zero = datetime.now(UTC)

    def line(self, when: str | None, text: str) -> None:
        moment = parse(when) if when else datetime.now(UTC)
        print(f"   {(moment - self.zero).total_seconds():7.2f} s  {text}", flush=True)

    def say(self, text: str) -> None:
        print(f"   {text}", flush=True)


def main() -> int:
    """Run the demo; 0 only if everything recovered and nothing else was touched."""
    show = Show()
    show.begin("Installing the operator (as a pod) and the example")
    operator = install_operator()
    Kube(NAMESPACE).run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    kube = make_namespace(NAMESPACE)
    apply_examples(kube)
    wait_for(lambda: _all_ready(kube), "breakers and policy are Ready")
    wait_for(lambda: condition(kube.get("cb", "inventory"), "TargetHealthy").get("status") == "True", "first probes")
    show.say("web: 3 replicas, readiness probe, no liveness probe; breakers inventory and web; policy web")

    problems = hung_replica(kube, show) + dependency(kube, show) + untouched(kube, show)
    show.begin("What kubectl shows")
    print(kube.run("get", "cb,rp,rr"))
    look_around(operator)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    print("\nEverything recovered; nothing else was touched." if not problems else "\nNot as it should be: see above.")
    return 1 if problems else 0


def _all_ready(kube: Kube) -> bool:
    items = [*kube.list("cb"), *kube.list("rp")]
    return all(condition(item, "Ready").get("status") == "True" for item in items)


def hung_replica(kube: Kube, show: Show) -> list[str]:
    """Act one: a replica hangs; it is replaced, the others are left alone."""
    before = kube.pods("web")
    victim = sorted(before)[0]
    show.begin(f"Act 1: {victim} hangs: it accepts connections and never answers")
    kube.post(victim, "/hang")
    show.line(None, "fault: the replica hangs")
    run = wait_for(lambda: next(iter(kube.list("rr")), None), "a run is started")
    name = run["metadata"]["name"]
    _follow_run(kube, show, name)
    run = wait_for(lambda: _ended(kube, name), "the run ends", seconds=120)
    after = kube.pods("web")
    problems = []
    if status(run)["phase"] != "Succeeded":
        problems.append(f"run {name} ended {status(run)['phase']}: {status(run).get('message')}")
    if len(set(before.values()) & set(after.values())) != 2 or before[victim] in after.values():
        problems.append("exactly the hung pod should have been replaced")
    _times(run, show)
    return problems


def _ended(kube: Kube, name: str) -> dict[str, Any] | None:
    run = kube.get("rr", name)
    return run if status(run).get("finishedAt") else None


def _follow_run(kube: Kube, show: Show, name: str) -> None:
    """Print each moment of the record as soon as it is there."""
    seen: set[str] = set()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        record = status(kube.get("rr", name))
        for when, text in _moments(name, record):
            if text not in seen:
                seen.add(text)
                show.line(when, text)
        if record.get("finishedAt"):
            return
        time.sleep(0.2)


def _moments(name: str, record: dict[str, Any]) -> list[tuple[str, str]]:
    moments = []

    def note(when: str | None, text: str) -> None:
        if when:
            moments.append((when, text))

    note(record.get("faultObservedAt"), "first bad observation (the pod's readiness failed)")
    note(record.get("detectedAt"), "detected: bad for as long as the trigger's `for` asks")
    note(record.get("startedAt"), f"run {name} started, with the target's Lease")
    for step in record.get("steps", []):
        for effect in step.get("effects", []):
            note(
                effect.get("outcomeAt"), f"step {step['name']}: {effect['object']} {effect.get('outcome', '').lower()}"
            )
            note(effect.get("settledAt"), f"step {step['name']}: its replacement is Ready")
        note(step.get("goodSince"), "all signals good")
    note(record.get("finishedAt"), f"{record.get('phase')}: {record.get('message', '')}")
    return moments


def _times(run: dict[str, Any], show: Show) -> None:
    record = status(run)

    def between(begin: str, end: str) -> str:
        if begin not in record or end not in record:
            return "unknown"
        return f"{(parse(record[end]) - parse(record[begin])).total_seconds():.2f} s"

    show.say(f"time to detect  {between('faultObservedAt', 'detectedAt')} (2 s of it asked for by the trigger)")
    show.say(f"time to recover {between('faultObservedAt', 'recoveredAt')} (first bad observation → all good again)")


def dependency(kube: Kube, show: Show) -> list[str]:
    """Act two: a dependency goes down and comes back; then a reset by annotation."""
    problems: list[str] = []
    pods = kube.pods("web")
    show.begin("Act 2: the dependency `inventory` goes down, and comes back")
    kube.run("scale", "deployment/inventory", "--replicas=0")
    show.line(None, "fault: inventory scaled to zero")
    _await_state(kube, show, "Open")
    opened = status(kube.get("cb", "inventory"))
    if opened["consecutiveFailures"] < 5:
        problems.append("the breaker opened before the 5th failure")
    kube.run("scale", "deployment/inventory", "--replicas=1")
    show.line(None, "inventory scaled up again")
    _await_state(kube, show, "HalfOpen")
    _await_state(kube, show, "Closed")
    show.begin("Act 3: a reset by hand: kubectl annotate cb inventory recovery.ultra.dev/reset-requested-at=…")
    kube.run("scale", "deployment/inventory", "--replicas=0")
    _await_state(kube, show, "Open")
    kube.run("scale", "deployment/inventory", "--replicas=1")
    kube.run("rollout", "status", "deployment/inventory", "--timeout=60s")
    value = str(int(time.time()))
    kube.reset("cb", "inventory", value)
    show.line(None, f"reset requested ({value})")
    _await_state(kube, show, "Closed")
    wait_for(lambda: not status(kube.get("cb", "inventory")).get("unconfirmed"), "a fresh success after the reset")
    show.line(None, "confirmed by a fresh probe")
    record = status(kube.get("cb", "inventory"))
    if record.get("lastHandledResetAt") != value:
        problems.append("the reset was not recorded")
    if kube.pods("web") != pods:
        problems.append("pods of web were touched while its dependency was down")
    return problems


def _await_state(kube: Kube, show: Show, state: str) -> None:
    def there() -> dict[str, Any] | None:
        record = status(kube.get("cb", "inventory"))
        return record if record.get("state") == state else None

    record = wait_for(there, f"breaker inventory is {state}", seconds=90)
    show.line(record["since"], f"breaker inventory {state}: {record['reason']}: {record['message']}")


def untouched(kube: Kube, show: Show) -> list[str]:
    """Nothing of the user's is changed: the manifests still describe the cluster, and nothing carries our marks."""
    show.begin("Nothing else was touched")
    problems = []
    for name in EXAMPLES:
        difference = kube.run("diff", "-f", "-", text=read(f"examples/web/{name}"), check=False)
        if difference.strip():
            problems.append(f"kubectl diff of {name} is not empty:\n{difference}")
    marked = [
        f"{item['kind']} {item['metadata']['name']}"
        for item in kube.list("deployments,replicasets,pods,services")
        if "recovery.ultra.dev"
        in str(item["metadata"].get("annotations", {})) + str(item["metadata"].get("finalizers", ""))
        or "kopf" in str(item["metadata"])
    ]
    if marked:
        problems.append(f"objects that are not ours carry marks: {', '.join(marked)}")
    show.say("kubectl diff of the examples is empty; no mark of ours on any Deployment, ReplicaSet, Pod or Service")
    return problems


def is_marked(metadata: dict[str, Any]) -> bool:
    """Whether anything of ours, or of our framework, stands on an object."""
    marks = str(metadata.get("annotations", {})) + str(metadata.get("finalizers", "")) + str(metadata.get("labels", ""))
    return "recovery.ultra.dev" in marks or "kopf" in marks


def look_around(operator: Kube) -> None:
    """How to go on."""
    print("The cluster stays up. To look around:")
    print('  export KUBECONFIG="$PWD/.cluster/kubeconfig" PATH="$PWD/.cluster/bin:$PATH"')
    print(f"  kubectl -n {NAMESPACE} describe rr\n  kubectl -n {NAMESPACE} explain cb.spec")
    print(f"  kubectl -n {operator.namespace} logs deployment/ultra-recovery")
    print("To remove it:\n  make clean")


if __name__ == "__main__":
    sys.exit(main())
