"""The release before this one: its chart as it was packaged, with its own code in the pods."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

from e2e.install import OPERATOR_IMAGE, OPERATOR_NAMESPACE, PROJECT, RELEASE, helm, image_values, make_namespace
from e2e.kube import Kube

PREVIOUS = "0.1.0"
FOLDER = PROJECT / f"tests/fixtures/release-{PREVIOUS}"
CHART = FOLDER / "chart.tgz"
_CONFIG = "operator-of-before"
_MOUNT = "/opt/before"
_ASK = """
import urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://127.0.0.1:8080/readyz?verbose", timeout=5)
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
"""
_PATH = {"name": "PYTHONPATH", "value": f"{_MOUNT}/operator.zip"}


def crds_of_before() -> dict[str, str]:
    """File name → text of the CRDs of the previous release."""
    with tarfile.open(CHART) as chart:
        found = {}
        for member in chart.getmembers():
            file = chart.extractfile(member) if "/files/crds/" in member.name else None
            if file is not None:
                found[Path(member.name).name] = file.read().decode()
        return found


def install_previous() -> Kube:
    """Install the chart of the previous release, with pods that run its code, and wait until they are ready.

    The image is that of today: the libraries are, too. The code of before is mounted, and found by Python first.
    """
    kube = make_namespace(OPERATOR_NAMESPACE)
    _offer_code(kube)
    path = json.dumps([_PATH])
    words = ("--namespace", OPERATOR_NAMESPACE, "--take-ownership")
    words += ("--set-json", f"extraEnv={path}", "--set-json", f"api.extraEnv={path}")
    image = image_values(os.environ.get("ULTRA_IMAGE", OPERATOR_IMAGE))
    helm("upgrade", "--install", RELEASE, str(CHART), *words, *image)
    mount = {"name": "before", "mountPath": _MOUNT, "readOnly": True}
    pod = {
        "containers": [{"name": name, "volumeMounts": [mount]} for name in ("operator", "api")],
        "volumes": [{"name": "before", "configMap": {"name": _CONFIG}}],
    }
    kube.run("patch", "deployment", RELEASE, "-p", json.dumps({"spec": {"template": {"spec": pod}}}))
    kube.run("rollout", "status", f"deployment/{RELEASE}", "--timeout=110s")
    return kube


def runs_previous(kube: Kube) -> bool:
    """Whether all pods of the operator run the code of before: it lacks a series that today's has from its start on."""
    pods = [item["metadata"] for item in kube.list("pods", "-l", "app.kubernetes.io/component=operator")]
    names = [meta["name"] for meta in pods if "deletionTimestamp" not in meta]
    texts = [kube.run("get", "--raw", _proxy(kube, name, "/metrics")) for name in names]
    return bool(texts) and all("recovery_crds_outdated" not in text for text in texts)


def ready_page(kube: Kube, pod: str) -> str:
    """What a pod says of its readiness, ready or not. Asked from inside: a proxy keeps the text of a 503 to itself."""
    return kube.run("exec", pod, "-c", "operator", "--", "python3", "-c", _ASK)


def _proxy(kube: Kube, pod: str, path: str) -> str:
    return f"/api/v1/namespaces/{kube.namespace}/pods/{pod}:8080/proxy{path}"


def _offer_code(kube: Kube) -> None:
    """Put the previous release's code into a ConfigMap, as an archive that Python imports from."""
    archive = io.BytesIO()
    with tarfile.open(FOLDER / "operator.tar.xz") as source, zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for member in source.getmembers():
            file = source.extractfile(member)
            if file is not None:
                out.writestr(member.name, file.read())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "operator.zip"
        path.write_bytes(archive.getvalue())
        kube.run("delete", "configmap", _CONFIG, "--ignore-not-found")
        kube.run("create", "configmap", _CONFIG, f"--from-file={path}")
