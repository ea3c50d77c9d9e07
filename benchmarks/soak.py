"""Hundreds of breakers and policies, one fault a minute: does the operator stay small, quiet and right?

    python -m benchmarks.soak --minutes 60

Needs a cluster (run it by `make drill`) and installs the chart. Memory is that of the operator's processes and requests
are those of the API server's audit log, so both are measured only where the cluster is on this machine.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.trend import floor, shown, slope
from e2e.audit import read_usage
from e2e.install import install_operator, make_namespace, stop_operator
from e2e.kube import Kube, condition, status, wait_for
from e2e.replicas import Pair, process_of
from e2e.small import Manifest, create, policy, workload
from tests.matrix.invariants import (
    Evidence,
    evictions_happen_once,
    nothing_is_left_behind,
    runs_end_once_and_in_time,
    statuses_are_current,
    the_log_has_no_traceback,
)
from tests.matrix.ledger import Entry

NAMESPACES = 3
WORKLOADS = 4
"""Services with pods in each namespace. One fault a minute stays inside the budgets: 5 an hour each, 20 a namespace."""
REPLICAS = 2
POLICIES = 0.3
"""Share of the objects that are policies. Those that are not of a service watch a workload that is scaled to zero."""
FAULTS = ("/hang", "/fail?seconds=600")
PERIOD = 60.0
SAMPLE = 10.0
JUDGED_FROM = 30.0
"""Minutes from which on a slope says something: before that caches fill up."""
MOST_SLOPE = 1.0
"""MB an hour, beside what the runs weigh that are kept: an hour is less than it takes for as many to go as come."""
RUN = 0.014
"""MB of a completed run in memory, at most: docs/explanation/performance.md."""
MOST_REQUESTS = 60.0
"""Requests a minute of each process: one a second."""
PLURALS = {"circuitbreakers": "cb", "recoverypolicies": "rp", "recoveryruns": "rr"}
INVARIANTS = (
    evictions_happen_once,
    runs_end_once_and_in_time,
    nothing_is_left_behind,
    statuses_are_current,
    the_log_has_no_traceback,
)


@dataclass(slots=True)
class Soak:
    """What was seen.

    Attributes:
        began: when the faults began.
        memory: megabytes of each pod's operator, with the minutes since `began`.
        kept: how many runs there were, likewise.
        hung: UIDs of the pods that were broken.
        recovered: seconds from each fault to the end of its run.
        problems: what went wrong, in words.
    """

    began: datetime
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    kept: list[tuple[float, float]] = field(default_factory=list)
    hung: set[str] = field(default_factory=set)
    recovered: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        return (datetime.now(UTC) - self.began).total_seconds() / 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long, default 60")
    parser.add_argument("--objects", type=int, default=500, help="breakers and policies, default 500")
    options = parser.parse_args()
    operator = install_operator()
    try:
        return attend(operator, options.objects, options.minutes)
    finally:
        stop_operator(operator)


def attend(operator: Kube, objects: int, minutes: float) -> int:
    """Soak an operator that is installed, and print what came of it; 1 when something does not hold."""
    kubes = [make_namespace(f"soak-{uuid.uuid4().hex[:6]}") for _ in range(NAMESPACES)]
    try:
        populate(kubes, objects)
        soak = run(operator, kubes, minutes)
        verdicts = list(judge(operator, kubes, soak))
    finally:
        for kube in kubes:
            kube.run("delete", "namespace", kube.namespace, "--wait=false", "--ignore-not-found")
    print(f"\n{objects} objects, {soak.minutes:.0f} minutes, {len(soak.hung)} faults\n")
    for name, found, bound, good in verdicts:
        print(f"{name:<42}{found:>32}{bound:>26}   {'ok' if good else 'NOT OK' if good is not None else '-'}")
    print(*soak.problems, sep="\n")
    return 1 if any(good is False for *_, good in verdicts) else 0


def populate(kubes: Sequence[Kube], objects: int) -> None:
    """Services with their policies, and everything else that is watched."""
    for number, kube in enumerate(kubes):
        mine = objects // len(kubes) + (number < objects % len(kubes))
        policies = int(mine * POLICIES)
        for name in services():
            create(kube, workload(name, REPLICAS), policy(name, limits={"cooldown": "1s", "interval": "10s"}))
        idle = [f"idle-{index}" for index in range(policies - WORKLOADS)]
        create(kube, *(workload(name, 0)[:1] for name in idle), *(policy(name) for name in idle))
        create(kube, *(breaker(index) for index in range(mine - policies)))
    for kube in kubes:
        for name in services():
            kube.run("rollout", "status", f"deployment/{name}", "--timeout=110s")
        wait_for(lambda kube=kube: enforced(kube), "everything is enforced", seconds=180)


def is_local() -> bool:
    """Whether processes and the audit log of the cluster can be looked at."""
    return os.environ.get("ULTRA_PROVIDER") == "local"


def services() -> list[str]:
    return [f"web-{index}" for index in range(WORKLOADS)]


def breaker(index: int) -> Manifest:
    """A breaker with the default times, of one of the services."""
    target = {"http": {"serviceRef": {"name": f"web-{index % WORKLOADS}", "port": 80}, "path": "/healthz"}}
    return {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": "CircuitBreaker",
        "metadata": {"name": f"dependency-{index}"},
        "spec": {"target": target},
    }


def enforced(kube: Kube) -> bool:
    return all(condition(item, "Ready").get("status") == "True" for item in (*kube.list("cb"), *kube.list("rp")))


def run(operator: Kube, kubes: Sequence[Kube], minutes: float) -> Soak:
    """One fault a minute, one service after the other, and a sample of the memory in between."""
    pods = {name: process_of(name) for name in Pair(operator).pods()} if is_local() else {}
    soak = Soak(datetime.now(UTC))
    targets = [(kube, name) for name in services() for kube in kubes]
    for number in range(math.ceil(minutes * 60 / PERIOD)):
        kube, name = targets[number % len(targets)]
        strike(soak, kube, name, FAULTS[number % len(FAULTS)])
        while soak.minutes * 60 < (number + 1) * PERIOD:
            sample(soak, pods)
            time.sleep(min(SAMPLE, max(0.1, (number + 1) * PERIOD - soak.minutes * 60)))
        soak.kept.append((soak.minutes, sum(len(kube.list("rr")) for kube in kubes)))
        print(f"{soak.minutes:6.1f} min  {len(soak.hung)} faults, {len(soak.recovered)} recovered", flush=True)
    return soak


def strike(soak: Soak, kube: Kube, name: str, fault: str) -> None:
    """Break one pod, and wait until a run has mended it."""
    before, known = kube.pods(name), {item["metadata"]["name"] for item in kube.list("rr")}
    victim = sorted(before)[0]
    soak.hung.add(before[victim])
    kube.post(victim, fault)
    began = time.monotonic()

    def ended() -> list[dict[str, Any]]:
        fresh = [item for item in kube.list("rr") if item["metadata"]["name"] not in known]
        return [item for item in fresh if status(item).get("finishedAt")]

    try:
        (item, *_) = wait_for(ended, f"{name} is recovered", seconds=PERIOD - 5)
    except AssertionError as problem:
        soak.problems.append(f"{kube.namespace}: {problem}")
        return
    soak.recovered.append(time.monotonic() - began)
    if status(item)["phase"] != "Succeeded":
        soak.problems.append(f"{kube.namespace}: run {item['metadata']['name']} ended {status(item)['phase']}")
    if set(before.values()) - set(kube.pods(name).values()) != {before[victim]}:
        soak.problems.append(f"{kube.namespace}: {name}: another pod than {victim} was replaced")


def sample(soak: Soak, pods: dict[str, int]) -> None:
    """Note the resident memory of each operator."""
    for name, pid in pods.items():
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            soak.problems.append(f"the process of {name} is gone")
            pods.pop(name)
            return
        size = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
        soak.memory.setdefault(name, []).append((soak.minutes, size))


Verdict = tuple[str, str, str, bool | None]


def judge(operator: Kube, kubes: Sequence[Kube], soak: Soak) -> Iterator[Verdict]:
    """Name, what was found, the bound, and whether it holds; None where nothing can be said."""
    logs = "".join(operator.run("logs", pod, "-c", "operator") for pod in Pair(operator).pods())
    violations = [f"{kube.namespace}: {text}" for kube in kubes for text in broken(kube, soak, logs)]
    soak.problems += violations
    yield "recovered by a run of its own", f"{len(soak.recovered)} of {len(soak.hung)}", "all", not soak.problems
    yield "violations of invariants", f"{len(violations)}", "0", not violations
    if soak.recovered:
        times = sorted(soak.recovered)
        yield "fault to end of run, median, s", f"{times[len(times) // 2]:.1f}", "", None
        yield "fault to end of run, longest, s", f"{times[-1]:.1f}", "", None
    lead = Pair(operator).leader()
    runs = RUN * slope(soak.kept[len(soak.kept) // 3 :])
    for name, samples in soak.memory.items():
        role = "leader" if name == lead else "warm replica"
        enough = soak.minutes >= JUDGED_FROM
        found = slope(list(floor(samples[len(samples) // 3 :]))) - runs
        yield f"memory of the {role}, MB", " ".join(f"{size:.0f}" for size in shown(samples)), "", None
        yield (
            f"memory slope of the {role}, MB/h",
            f"{found:.1f} and {runs:.1f} of runs kept",
            f"{MOST_SLOPE:.0f}" if enough else f"told from {JUDGED_FROM:.0f} min on",
            found <= MOST_SLOPE if enough else None,
        )
    requests = read_usage(soak.began).count / soak.minutes
    processes = 2 * len(soak.memory)
    yield (
        "API requests a minute, all processes",
        f"{requests:.0f}",
        f"{MOST_REQUESTS * processes:.0f}",
        (requests <= MOST_REQUESTS * processes),
    )


def broken(kube: Kube, soak: Soak, logs: str) -> Iterator[str]:
    """What does not hold in a namespace, by the invariants of the crash matrix."""
    runs = kube.list("rr")
    effects = [
        effect for run in runs for step in status(run).get("steps") or () for effect in step.get("effects") or ()
    ]
    objects = {plural: runs if kind == "rr" else kube.list(kind) for plural, kind in PLURALS.items()}
    evidence = Evidence(
        entries=[evicted(str(effect.get("id", ""))) for effect in effects if effect.get("kind") == "Evict"],
        objects=objects,
        hung=frozenset(soak.hung),
        leases=kube.list("leases"),
        log=logs,
    )
    for invariant in INVARIANTS:
        yield from (f"{invariant.__name__.replace('_', ' ')}: {text}" for text in invariant(evidence))


def evicted(uid: str) -> Entry:
    """An eviction as the crash matrix would have seen it."""
    body = {"deleteOptions": {"preconditions": {"uid": uid}}}
    return Entry(1, 0.0, 1, "POST", "pods", "", "eviction", body, status=201)


if __name__ == "__main__":
    sys.exit(main())
