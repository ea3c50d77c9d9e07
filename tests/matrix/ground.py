"""The cluster before and after: our kinds are there, and no other operator acts in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CRDS = str(Path(__file__).resolve().parents[2] / "crds")
_OPERATOR = ("-n", "ultra-recovery")


def _kubectl(*words: str) -> str:
    return subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=120, check=True).stdout


@contextmanager
def prepared() -> Iterator[None]:
    """Install our kinds; an operator that runs in the cluster has no replica for the time of the block."""
    _kubectl("apply", "--server-side", "--force-conflicts", "-f", _CRDS)
    _kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", _CRDS)
    query = ("get", "deployment", "ultra-recovery", "--ignore-not-found", "-o", "jsonpath={.spec.replicas}")
    replicas = _kubectl(*_OPERATOR, *query)
    if replicas in ("", "0"):
        yield
        return
    _kubectl(*_OPERATOR, "scale", "deployment/ultra-recovery", "--replicas=0")
    _kubectl(*_OPERATOR, "wait", "--for=delete", "pods", "-l", "app.kubernetes.io/name=ultra-recovery", "--timeout=90s")
    try:
        yield
    finally:
        _kubectl(*_OPERATOR, "scale", "deployment/ultra-recovery", f"--replicas={replicas}")
