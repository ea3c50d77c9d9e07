"""Installing: by helm in both scopes and by the plain manifests; what helm prints, tests and keeps."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
import uuid
from base64 import b64decode
from collections.abc import Iterator

import pytest

from e2e.api import Api, way_in
from e2e.install import (
    CHART,
    RELEASE,
    REPLICAS,
    await_operator,
    helm,
    install_operator,
    read,
    remove_operator,
    stop_operator,
)
from e2e.kube import Kube, wait_for
from e2e.test_restart_pods import ended_run

SECRET = "ultra-recovery-api-tokens"
DRILL_LEFTOVERS = "deployments,replicasets,pods,recoverypolicies,recoveryruns"


def drill(kube: Kube) -> str:
    """Run `helm test`; what it prints. Nothing of it may be left but the pod with its log."""
    try:
        told = helm("test", RELEASE, "--namespace", kube.namespace, "--logs", "--timeout=4m")
        left = {
            f"{item['kind']} {item['metadata']['name']}" for item in kube.list(DRILL_LEFTOVERS) if is_of_drill(item)
        }
        wait_for(
            lambda: not [item for item in kube.list(DRILL_LEFTOVERS) if is_of_drill(item)], f"{left} go", seconds=30
        )
        assert kube.find("role", "ultra-recovery-drill") is None
        return told
    finally:
        kube.run("delete", "pod", "ultra-recovery-drill", "--ignore-not-found")


def is_of_drill(item: dict) -> bool:
    return item["metadata"]["name"].startswith("ultra-recovery-drill-")


def tokens(kube: Kube) -> dict[str, str]:
    data = kube.get("secret", SECRET)["data"]
    return {name: b64decode(value).decode() for name, value in data.items()}


@pytest.fixture
def away(operator: Kube) -> Iterator[Kube]:
    """No operator for the whole cluster while the test runs."""
    stop_operator(operator)
    yield operator
    operator.run("scale", "deployment/ultra-recovery", f"--replicas={REPLICAS}")
    await_operator(operator)


def test_helm_test_breaks_a_pod_and_sees_it_recovered(operator: Kube) -> None:
    told = drill(operator)
    assert re.search(r"fault: pod ultra-recovery-drill-\w{5}-\S+ is not ready any more", told), told
    assert re.search(r"recovered within [\d.]+ s \(asked for: 60 s\)", told), told
    assert "PASSED" in told


def test_a_drill_that_is_told_to_stop_clears_away(operator: Kube) -> None:
    words = ["helm", "test", RELEASE, "--namespace", operator.namespace]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: [item for item in operator.list("rp") if is_of_drill(item)], "the drill goes on")
        operator.run("delete", "pod", "ultra-recovery-drill")
        process.wait(60)
    wait_for(
        lambda: not [item for item in operator.list(DRILL_LEFTOVERS) if is_of_drill(item)], "all of it goes", seconds=30
    )


def test_generated_tokens_stay_over_upgrades_and_pods_see_only_their_digests(operator: Kube) -> None:
    before = tokens(operator)
    entry = json.loads(before["tokens.json"])["tokens"][0]
    assert hashlib.sha256(before["admin"].encode()).hexdigest() == entry["sha256"]
    assert len(before["admin"]) == 48
    for _ in range(2):
        helm("upgrade", RELEASE, str(CHART), "--namespace", operator.namespace, "--reuse-values")
    assert tokens(operator) == before
    with way_in() as url:
        assert Api(url, before["admin"]).curl("/api/recovery/status").status == 200
        assert Api(url, before["admin"][:-1]).curl("/api/recovery/status").status == 401
    pod = next(iter(operator.pods("ultra-recovery")))
    files = operator.run(
        "exec", pod, "-c", "api", "--", "python3", "-c", "import os; print(os.listdir('/etc/ultra-recovery/tokens'))"
    )
    assert "tokens.json" in files
    assert "admin" not in files


def test_the_commands_that_helm_prints_work_as_printed(operator: Kube) -> None:
    notes = helm("get", "notes", RELEASE, "--namespace", operator.namespace)
    blocks = [block for block in re.split(r"\n\n", notes) if block.startswith("    ")]
    assert len(blocks) == 3
    for block in blocks:
        done = subprocess.run(
            ["bash", "-ec", f"set -m\n{block}"], capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
    assert json.loads(done.stdout)["stale"] is False
    operator.run("delete", "pod", "ultra-recovery-drill", "--ignore-not-found")


@pytest.mark.usefixtures("away")
def test_a_namespace_of_its_own_needs_no_cluster_role_and_recovers() -> None:
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kube = Kube(name)
    try:
        values = "scope=namespace,crds.enabled=false,authorization.checkCreator=true,api.mode=separate,api.replicas=1"
        install_operator("--set", values, namespace=name)
        manifest = helm("get", "manifest", RELEASE, "--namespace", name)
        assert "ClusterRole" not in manifest
        assert "PASSED" in drill(kube)
    finally:
        remove_operator(kube)
        kube.run("delete", "namespace", name, "--wait=false")


def test_plain_manifests_describe_the_cluster_also_after_a_recovery(operator: Kube, kube: Kube) -> None:
    """GitOps tools see no drift: neither on what is guarded, nor on the operator's own objects."""
    plain = ("deploy/crds.yaml", "deploy/operator.yaml")
    remove_operator(operator)
    try:
        for path in plain:
            operator.run("apply", "--server-side", "--force-conflicts", "-f", "-", text=read(path))
        await_operator(operator)
        kube.post(sorted(kube.pods("web"))[0], "/hang")
        ended_run(kube)
        for path in plain:
            assert (
                operator.run("diff", "--server-side", "--force-conflicts", "-f", "-", text=read(path), check=False)
                == ""
            )
    finally:
        stop_operator(operator)
        operator.run("delete", "-f", "-", "--ignore-not-found", "--wait=true", text=without_namespace(read(plain[1])))
        install_operator()


def without_namespace(text: str) -> str:
    return "---".join(part for part in text.split("---") if "\nkind: Namespace\n" not in part)


@pytest.mark.failure(
    of="Input",
    what="A value of the chart is misspelt",
    see="`helm` refuses it and names it",
    bound="at once",
)
def test_a_typing_error_in_a_value_is_refused_with_its_name() -> None:
    told = helm("template", RELEASE, str(CHART), "--set", "api.replcas=2", check=False)
    assert "additional properties 'replcas' not allowed" in told
    assert "/api" in told


def test_an_upgrade_without_a_change_changes_nothing(operator: Kube) -> None:
    before = operator.get("deployment", "ultra-recovery")["metadata"]["generation"]
    helm("upgrade", RELEASE, str(CHART), "--namespace", operator.namespace, "--reuse-values")
    time.sleep(1)
    assert operator.get("deployment", "ultra-recovery")["metadata"]["generation"] == before
