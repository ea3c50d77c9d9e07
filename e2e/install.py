"""Installs the operator and the examples, from the files a user would apply."""

from __future__ import annotations

import os
from pathlib import Path

from e2e.kube import Kube

PROJECT = Path(__file__).resolve().parents[1]
OPERATOR_NAMESPACE = "ultra-recovery"
OPERATOR_IMAGE = "localhost/ultra-recovery:dev"
WEB_IMAGE = "localhost/ultra-recovery-web:dev"
IMAGE_VARIABLES = {
    OPERATOR_IMAGE: "ULTRA_IMAGE",
    WEB_IMAGE: "ULTRA_WEB_IMAGE",
    "localhost/ultra-recovery-databases:dev": "ULTRA_DATABASES_IMAGE",
    "localhost/ultra-recovery-orders:dev": "ULTRA_ORDERS_IMAGE",
}
SERVICES = ("web.yaml", "inventory.yaml", "pager.yaml", "repair.yaml")
WATCHERS = ("circuitbreakers.yaml", "recoverypolicy.yaml")
EXAMPLES = (*SERVICES, *WATCHERS)


def read(path: str) -> str:
    """A manifest of the project, with the images of this cluster."""
    text = (PROJECT / path).read_text()
    for reference, variable in IMAGE_VARIABLES.items():
        text = text.replace(reference, os.environ.get(variable, reference))
    return text


def install_operator() -> Kube:
    """Apply the CRDs and the operator, start it anew so that it runs the present image, wait until it is ready."""
    kube = Kube(OPERATOR_NAMESPACE)
    kube.run("apply", "--server-side", "--force-conflicts", "-f", str(PROJECT / "crds"))
    kube.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(PROJECT / "crds"))
    kube.apply(read("deploy/operator.yaml"))
    kube.run("rollout", "restart", "deployment/ultra-recovery")
    kube.run("rollout", "status", "deployment/ultra-recovery", "--timeout=110s")
    return kube


def make_namespace(name: str) -> Kube:
    """A namespace of its own, with Pod Security enforced."""
    kube = Kube(name)
    kube.apply(
        f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, "
        "labels: {pod-security.kubernetes.io/enforce: restricted}}}"
    )
    return kube


def apply_examples(kube: Kube) -> None:
    """Apply examples/web: the services, and as soon as they are ready what watches them."""
    for name in SERVICES:
        kube.apply(read(f"examples/web/{name}"))
    for app in ("web", "inventory", "pager"):
        kube.run("rollout", "status", f"deployment/{app}", "--timeout=110s")
    for name in WATCHERS:
        kube.apply(read(f"examples/web/{name}"))
