"""How long nobody leads when the leader is stopped or dies, beside what the times of its Lease take at worst.

Usage: python -m benchmarks.takeover [REPETITIONS]. Needs the local cluster: the process is killed from outside.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
import uuid
from collections.abc import Sequence

from e2e.install import install_operator, make_namespace
from e2e.kube import Kube, wait_for
from e2e.replicas import Pair, apply_recorder, probes, process_of, seconds, send
from ultra_recovery.engine.leadership import LEASE_DURATION, RETRY

REPETITIONS = 3
FLOORS = {"SIGTERM": RETRY, "SIGKILL": LEASE_DURATION + RETRY}
"""A Lease that was given back is seen at the next look; one of the dead after its duration, counted from a look."""


def take_over(pair: Pair, kube: Kube, fault: str) -> tuple[float, float]:
    """Stop the leader, or kill it with its pod; seconds to the next term, and to the first probe in it."""
    leader, term = pair.leader(), pair.term()
    at = send(process_of(leader), signal.SIGTERM if fault == "SIGTERM" else signal.SIGKILL)
    # The kubelet would start it again within a second or two, under its name: then there is nothing to wait for.
    how = () if fault == "SIGTERM" else ("--grace-period=0", "--force")
    pair.operator.run("delete", "pod", leader, "--wait=false", *how)
    taken_at = seconds(pair.await_term(term)["acquireTime"])
    first = wait_for(lambda: next((item.at for item in probes(kube) if item.at >= taken_at), 0.0), "a probe comes")
    return taken_at - at, first - at


def show(fault: str, what: str, times: Sequence[float]) -> None:
    floor = FLOORS[fault]
    middle, worst = statistics.median(times), max(times)
    print(f"{fault:10}{what:18}{len(times):4}{middle:10.1f}{worst:8.1f}{floor:8.1f}{worst / floor:14.2f}")


def main(repetitions: int) -> None:
    """Measure and print."""
    if os.environ.get("ULTRA_PROVIDER") != "local":
        print("takeover: needs the local cluster (CLUSTER=local), as it kills processes of pods from outside")
        return
    operator = install_operator()
    operator.run("scale", "deployment/ultra-recovery", "--replicas=2")
    pair, kube = Pair(operator), make_namespace(f"bench-{uuid.uuid4().hex[:8]}")
    try:
        pair.make_fresh()
        apply_recorder(kube)
        print(f"\n{'fault':10}{'until':18}{'n':>4}{'median s':>10}{'max s':>8}{'floor s':>8}{'max / floor':>14}")
        for fault in FLOORS:
            figures = []
            for _ in range(repetitions):
                pair.make_fresh()
                # So that the blow falls at another moment between two renewals each time.
                time.sleep(len(figures) * 0.37 % RETRY)
                figures.append(take_over(pair, kube, fault))
            show(fault, "another leads", [leads for leads, _ in figures])
            show(fault, "its first probe", [probed for _, probed in figures])
    finally:
        kube.run("delete", "namespace", kube.namespace, "--wait=false")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS)
