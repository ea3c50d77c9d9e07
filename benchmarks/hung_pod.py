"""How long a service misses a replica that hangs: with us, and with the kubelet's restart on a failed liveness probe.

Usage: python -m benchmarks.hung_pod [REPETITIONS]. The three ways run side by side, on the same image and the same
fault; each repetition has new namespaces, as a kubelet waits longer before each further restart of a container.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from e2e.install import apply_examples, apply_services, install_operator, make_namespace
from e2e.kube import Kube

REPETITIONS = 5
PERIOD = 10.0
"""Seconds between two liveness probes by default."""
OURS = "Ultra Recovery: readiness fails twice, then for: 2s"
WAYS: Mapping[str, str] = {
    # A policy instead of a liveness probe.
    OURS: "",
    "kubelet: liveness, the default times (3 × 10 s)": "{httpGet: {path: /healthz, port: http}}",
    "kubelet: liveness as fast as readiness (2 × 1 s)": (
        "{httpGet: {path: /healthz, port: http}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2}"
    ),
}


def suffer(kube: Kube, meeting: threading.Barrier, pause: float) -> tuple[float, float]:
    """Let one replica hang; seconds until the Deployment misses it, and until it has three that are Ready again."""
    victim = sorted(kube.pods("web"))[0]
    meeting.wait()
    time.sleep(pause)
    since = time.monotonic()
    kube.post(victim, "/hang")
    _await_ready(kube, 2)
    missed = time.monotonic() - since
    _await_ready(kube, 3)
    return missed, time.monotonic() - since


def _await_ready(kube: Kube, replicas: int) -> None:
    kube.run("wait", "deployment/web", f"--for=jsonpath={{.status.readyReplicas}}={replicas}", "--timeout=110s")


def repeat(pause: float) -> dict[str, tuple[float, float]]:
    """One fault in each way, at one moment."""
    spaces = {way: make_namespace(f"bench-{uuid.uuid4().hex[:8]}") for way in WAYS}
    meeting = threading.Barrier(len(WAYS), timeout=300)

    def one(way: str) -> tuple[float, float]:
        try:
            if WAYS[way]:
                apply_services(spaces[way], f"livenessProbe: {WAYS[way]}")
            else:
                apply_examples(spaces[way])
            return suffer(spaces[way], meeting, pause)
        except BaseException:
            meeting.abort()
            raise

    try:
        with ThreadPoolExecutor(len(WAYS)) as workers:
            return dict(zip(WAYS, workers.map(one, WAYS), strict=True))
    finally:
        for kube in spaces.values():
            kube.run("delete", "namespace", kube.namespace, "--wait=false")


def show(found: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Print the table. That a replica is missed at all is the readiness probe's doing, the same in each way."""
    ours = statistics.median(again for _, again in found[OURS])
    print(f"\n{'who mends it':52}{'n':>4}{'not Ready s':>13}{'three again s, median':>23}{'max':>7}{'÷ ours':>9}")
    for way, times in found.items():
        missed = statistics.median(first for first, _ in times)
        again = [last for _, last in times]
        middle = statistics.median(again)
        print(f"{way:52}{len(times):4}{missed:13.1f}{middle:23.1f}{max(again):7.1f}{middle / ours:9.2f}")


def main(repetitions: int) -> None:
    """Measure and print."""
    install_operator()
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for number in range(repetitions):
        # So that the fault falls at another moment between two liveness probes each time.
        for way, times in repeat(PERIOD * number / repetitions).items():
            found[way].append(times)
        print(f"hung pod: {number + 1} of {repetitions}", flush=True)
    show(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS)
