"""Installs the operator by its chart, and the examples, as a user would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from e2e.kube import Kube, condition, wait_for

PROJECT = Path(__file__).resolve().parents[1]
CHART = PROJECT / "helm/ultra-recovery"
RELEASE = "ultra-recovery"
OPERATOR_NAMESPACE = "ultra-recovery"
REPLICAS = 2
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


class HelmError(RuntimeError):
    """helm refused; the message is its own."""


def read(path: str) -> str:
    """A manifest of the project, with the images of this cluster."""
    text = (PROJECT / path).read_text()
    for reference, variable in IMAGE_VARIABLES.items():
        text = text.replace(reference, os.environ.get(variable, reference))
    return text


def helm(*words: str, check: bool = True) -> str:
    """Run helm and return what it prints; with check=False also what it prints of an error.

    Raises:
        HelmError: helm refused; the message is its own.
    """
    done = subprocess.run(["helm", *words], capture_output=True, text=True, timeout=300, check=False)
    if check and done.returncode != 0:
        raise HelmError(f"helm {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout if check else done.stdout + done.stderr


def image_values(reference: str) -> tuple[str, ...]:
    """The chart's values for an image, given by tag or by digest."""
    name, _, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, "latest"
    values = {"image.repository": repository, "image.tag": tag, "image.digest": digest}
    return tuple(word for key, value in values.items() for word in ("--set-string", f"{key}={value}"))


def install_operator(*words: str, namespace: str = OPERATOR_NAMESPACE) -> Kube:
    """Install or upgrade the chart, with pods that run the present image, and wait until they are ready.

    Args:
        words: more options for helm, such as values.
        namespace: where, under the name of the chart.
    """
    kube = make_namespace(namespace)
    image = os.environ.get("ULTRA_IMAGE", OPERATOR_IMAGE)
    # The CRDs may be there already, applied by whoever used the cluster before.
    options = ("--take-ownership", "--wait", "--timeout=4m", *image_values(image), *words)
    helm("upgrade", "--install", RELEASE, str(CHART), "--namespace", namespace, *options)
    kube.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(PROJECT / "crds"))
    restart_operator(kube)
    return kube


def remove_operator(kube: Kube) -> None:
    """Uninstall the release. Its pods end first: later they would have no rights any more."""
    stop_operator(kube)
    helm("uninstall", RELEASE, "--namespace", kube.namespace, "--wait")


def stop_operator(kube: Kube) -> None:
    """Take all pods of the operator away, and wait until they are gone."""
    kube.run("scale", "deployment", "--replicas=0", "-l", "app.kubernetes.io/name=ultra-recovery")
    kube.run("wait", "--for=delete", "pods", "-l", "app.kubernetes.io/name=ultra-recovery", "--timeout=90s")


def restart_operator(kube: Kube) -> None:
    """Replace all pods of the operator, and wait until the new ones are ready."""
    kube.run("rollout", "restart", "deployment/ultra-recovery")
    await_operator(kube)


def await_operator(kube: Kube) -> None:
    """Wait until all pods of the operator are new and ready."""
    kube.run("rollout", "status", "deployment/ultra-recovery", "--timeout=110s")


def leader_of(kube: Kube) -> str:
    """The name of the pod that leads, once one does."""

    def holder() -> str:
        lease = kube.find("lease", "ultra-recovery-leader") or {"spec": {}}
        return str(lease["spec"].get("holderIdentity") or "")

    return wait_for(holder, "a pod of the operator leads", seconds=30)


def make_namespace(name: str) -> Kube:
    """A namespace of its own, with Pod Security enforced."""
    kube = Kube(name)
    kube.apply(
        f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, "
        "labels: {pod-security.kubernetes.io/enforce: restricted}}}"
    )
    return kube


def apply_examples(kube: Kube) -> None:
    """Apply examples/web: the services, and as soon as they are ready what watches them; returns when it does."""
    apply_services(kube)
    for name in WATCHERS:
        kube.apply(read(f"examples/web/{name}"))
    wait_for(lambda: _watched(kube), "the examples are enforced and healthy")


def apply_services(kube: Kube, container: str = "") -> None:
    """Apply the services of examples/web and wait until they are ready.

    Args:
        kube: where.
        container: a field more for the container of `web`, as a line of YAML.
    """
    for name in SERVICES:
        text = read(f"examples/web/{name}")
        if name == "web.yaml" and container:
            assert "          readinessProbe:\n" in text
            text = text.replace("          readinessProbe:\n", f"          {container}\n          readinessProbe:\n")
        kube.apply(text)
    for app in ("web", "inventory", "pager"):
        kube.run("rollout", "status", f"deployment/{app}", "--timeout=110s")


def _watched(kube: Kube) -> bool:
    breakers = kube.list("cb")
    return all(condition(item, "Ready").get("status") == "True" for item in [*breakers, *kube.list("rp")]) and all(
        condition(item, "TargetHealthy").get("status") == "True" for item in breakers
    )
