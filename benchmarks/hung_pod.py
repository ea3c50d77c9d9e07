"""A replica hangs, with us and with the kubelet's restart on a failed liveness probe: how long the service misses it.

And the other side of it: what each of them restarts while all replicas fail with a dependency that is away.

Usage: python -m benchmarks.hung_pod [REPETITIONS]. The three ways run side by side, on the same image and the same
fault; each repetition has new namespaces, as a kubelet waits longer before each further restart of a container.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from e2e.install import apply_examples, apply_services, install_operator, make_namespace
from e2e.kube import Kube, status

REPETITIONS = 5
PERIOD = 10.0
"""Seconds between two liveness probes by default."""
AWAY = 45.0
"""Seconds without the dependency: more than three such probes."""
OURS = "Ultra Recovery: readiness fails twice, then for: 2s"
WAYS: Mapping[str, str] = {
    # A policy instead of a liveness probe.
    OURS: "",
    "kubelet: liveness, the default times (3 × 10 s)": "{httpGet: {path: /healthz, port: http}}",
    "kubelet: liveness as fast as readiness (2 × 1 s)": (
        "{httpGet: {path: /healthz, port: http}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2}"
    ),
}


@dataclass(frozen=True)
class Fate:
    """What came of it in one namespace.

    Attributes:
        missed: Seconds from the hang until the Deployment had one Ready replica less.
        again: Seconds from the hang until it had all of them again.
        restarted: Containers and pods that were started anew while the dependency was away.
    """

    missed: float
    again: float
    restarted: int


def suffer(kube: Kube, meeting: threading.Barrier, pause: float) -> Fate:
    """Let one replica hang, and when that is mended take the dependency away for a while."""
    victim = sorted(kube.pods("web"))[0]
    meeting.wait()
    time.sleep(pause)
    since = time.monotonic()
    kube.post(victim, "/hang")
    _await_ready(kube, 2)
    missed = time.monotonic() - since
    _await_ready(kube, 3)
    again = time.monotonic() - since
    before = _starts(kube)
    kube.run("scale", "deployment/inventory", "--replicas=0")
    time.sleep(AWAY)
    restarted = _starts(kube) - before
    return Fate(missed, again, sum(restarted.values()))


def _await_ready(kube: Kube, replicas: int) -> None:
    kube.run("wait", "deployment/web", f"--for=jsonpath={{.status.readyReplicas}}={replicas}", "--timeout=110s")


def _starts(kube: Kube) -> Counter[str]:
    """How often the container of each pod of web was started, by the pod's UID."""
    pods = kube.list("pods", "-l", "app.kubernetes.io/name=web")
    return Counter(
        {
            pod["metadata"]["uid"]: 1 + sum(item["restartCount"] for item in status(pod).get("containerStatuses", []))
            for pod in pods
        }
    )


def repeat(pause: float) -> dict[str, Fate]:
    """The faults in each way, at one moment."""
    spaces = {way: make_namespace(f"bench-{uuid.uuid4().hex[:8]}") for way in WAYS}
    meeting = threading.Barrier(len(WAYS), timeout=300)

    def one(way: str) -> Fate:
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


def show(found: Mapping[str, Sequence[Fate]]) -> None:
    """Print the table. That a replica is missed at all is the readiness probe's doing, the same in each way."""
    ours = statistics.median(fate.again for fate in found[OURS])
    print(f"\n{'who mends it':52}{'n':>4}{'not Ready s':>13}{'all Ready s':>21}{'max':>7}{'÷ ours':>8}  restarts")
    for way, fates in found.items():
        again, restarts = [fate.again for fate in fates], [str(fate.restarted) for fate in fates]
        missed, middle = statistics.median(fate.missed for fate in fates), statistics.median(again)
        figures = f"{len(fates):4}{missed:13.1f}{middle:21.1f}{max(again):7.1f}{middle / ours:8.2f}"
        print(f"{way:52}{figures}  {' '.join(restarts)}")
    print(f"restarts: while the dependency of all three replicas was away for {AWAY:.0f} s, in each repetition")


def main(repetitions: int) -> None:
    """Measure and print."""
    install_operator()
    found: dict[str, list[Fate]] = {way: [] for way in WAYS}
    for number in range(repetitions):
        # So that the fault falls at another moment between two liveness probes each time.
        for way, fate in repeat(PERIOD * number / repetitions).items():
            found[way].append(fate)
        print(f"hung pod: {number + 1} of {repetitions}", flush=True)
    show(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS)
