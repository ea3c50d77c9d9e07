"""A cluster with our kinds in it, in which these tests are the only writers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CRDS = str(Path(__file__).resolve().parents[2] / "crds")
OPERATOR = ("-n", "ultra-recovery")


def kubectl(*words: str) -> str:
    """Run kubectl and return what it prints."""
    return subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="session", autouse=True)
def kinds() -> None:
    """Install our kinds; a cluster that was just made has none."""
    assert "KUBECONFIG" in os.environ, "KUBECONFIG is not set: run `make test`"
    kubectl("apply", "--server-side", "--force-conflicts", "-f", CRDS)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", CRDS)


@pytest.fixture(scope="session", autouse=True)
def no_operator(kinds: None) -> Iterator[None]:
    """Scale an operator that runs in this cluster to zero while these tests write the same objects."""
    query = ("get", "deployment", "ultra-recovery", "--ignore-not-found", "-o", "jsonpath={.spec.replicas}")
    replicas = kubectl(*OPERATOR, *query)
    if replicas in ("", "0"):
        yield
        return
    kubectl(*OPERATOR, "scale", "deployment/ultra-recovery", "--replicas=0")
    kubectl(*OPERATOR, "wait", "--for=delete", "pods", "-l", "app.kubernetes.io/name=ultra-recovery", "--timeout=90s")
    yield
    kubectl(*OPERATOR, "scale", "deployment/ultra-recovery", f"--replicas={replicas}")
