"""Who probes the targets: the operator and the bare loop, each as a process of its own on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.fleet import world
from benchmarks.fleet.process import Child
from e2e.cluster.local.network import MACHINE
from e2e.kube import Kube

FIRST_PORT = 21000
OPS_PORT = 18480


def ready(who: str) -> bool:
    """Whether this can be measured here; if so the CRDs are there, and no other operator is at work."""
    if os.environ.get("ULTRA_PROVIDER") != "local":
        print(f"{who}: needs the local cluster (CLUSTER=local): its targets listen on this machine")
        return False
    Kube("default").run("apply", "--server-side", "--force-conflicts", "-f", "crds")
    # Whoever leads elsewhere on this cluster would probe the same targets.
    Kube("ultra-recovery").run("scale", "deployment", "--all", "--replicas=0", check=False)
    return True


def operator(folder: Path) -> Child:
    """The operator as a process of its own, leading by a Lease of its own."""
    environment = {
        "ULTRA_NAMESPACE": world.spaces()[0],
        "ULTRA_IDENTITY": "bench",
        "ULTRA_OPS_PORT": str(OPS_PORT),
        "PYTHONPATH": "operator",
    }
    argv = [sys.executable, "-m", "ultra_recovery.cli", "operator"]
    return Child(argv, folder / "operator.log", environment)


def bare(folder: Path, count: int, scheme: str) -> Child:
    """The floor."""
    urls = folder / "urls"
    urls.write_text("\n".join(f"{scheme}://{MACHINE}:{place}" for place in world.paths(count, FIRST_PORT)))
    tls = ["--tls"] if scheme == "https" else []
    return Child([sys.executable, "-m", "benchmarks.fleet.bare", str(urls), *tls], folder / "bare.log")
