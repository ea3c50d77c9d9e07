"""The recovery API in pods of its own, with rights of its own, over TLS with a certificate that is replaced."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.api import RIGHTS, Api, token_of, way_in
from e2e.install import install_operator
from e2e.kube import Kube, status, wait_for
from e2e.records import await_end, effects
from e2e.small import apply, breaker, create, policy, workload

SECRET = "e2e-api-tls"
ACCOUNT = "system:serviceaccount:ultra-recovery:ultra-recovery-api"


def certificate(folder: Path) -> Path:
    """A certificate for this machine, in which whoever trusts it alone trusts nothing else."""
    folder.mkdir()
    files = ("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"))
    about = ("-days", "1", "-subj", f"/CN={folder.name}", "-addext", "subjectAltName=IP:127.0.0.1")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    subprocess.run(["openssl", "req", "-x509", *curve, *files, *about], check=True, capture_output=True)
    return folder


def put(operator: Kube, folder: Path) -> None:
    """Write the Secret."""
    files = (f"--cert={folder}/tls.crt", f"--key={folder}/tls.key")
    operator.apply(operator.run("create", "secret", "tls", SECRET, *files, "--dry-run=client", "-o", "yaml"))


@pytest.fixture(scope="module")
def first(operator: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The installation with an API of its own, and the certificate that it serves."""
    folder = certificate(tmp_path_factory.mktemp("tls") / "first")
    put(operator, folder)
    install_operator("--set", f"api.mode=separate,api.replicas=1,api.tls.secretName={SECRET}")
    yield folder
    install_operator()
    operator.run("delete", "secret", SECRET)


def test_the_api_has_what_it_needs_and_nothing_else(first: Path, operator: Kube):
    del first

    def may(*words: str) -> bool:
        return operator.run("auth", "can-i", *words, "-A", f"--as={ACCOUNT}", check=False).startswith("yes")

    assert may("create", "recoveryruns")
    for words in (("create", "pods/eviction"), ("create", "jobs"), ("get", "leases"), ("get", "secrets")):
        assert not may(*words), words


def test_a_call_over_tls_is_answered_and_what_it_asks_for_is_done(
    first: Path, empty: Kube, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CURL_CA_BUNDLE", str(first / "tls.crt"))
    empty.apply(RIGHTS)
    create(empty, workload("shop", replicas=2))
    reported = {"name": "reported", "errorReported": {"errorTypes": ["CUSTOM_ERROR"]}}
    all_pods = {"name": "restart", "action": {"restartPods": {"pods": "All"}}, "timeout": "30s"}
    apply(empty, breaker("shop"), policy("shop", mode="Manual", triggers=[reported], ladder=[all_pods]))
    wait_for(lambda: status(empty.get("cb", "shop")).get("state") == "Closed", "the breaker is probed")
    with way_in(scheme="https") as url:
        api = Api(url, token_of(empty, "oncall"))
        path = "/api/recovery/circuit-breaker/status"
        wait_for(lambda: api.curl(path).status == 200, "the rights are in force")
        assert [item["name"] for item in api.curl(path).body["items"]] == ["shop"]
        answer = api.post("/api/recovery/trigger", {"error_type": "CUSTOM_ERROR", "service_name": "shop"})
        assert answer.status == 202, answer.body
        run = await_end(empty, answer.body["runs"][0]["name"])
    assert effects(run) == [("Evict", "Evicted")] * 2, status(run)


def test_a_certificate_that_is_replaced_is_served_without_a_restart(
    first: Path, operator: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    del first
    pods = operator.list("pods", "-l", "app.kubernetes.io/component=api")
    second = certificate(tmp_path / "second")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(second / "tls.crt"))
    put(operator, second)
    # The kubelet brings a changed Secret within a minute or two; what we add to it are ten seconds.
    with subprocess.Popen(
        ["kubectl", "-n", operator.namespace, "port-forward", "service/ultra-recovery-api", ":8085"],
        stdout=subprocess.PIPE,
        text=True,
    ) as forward:
        try:
            assert forward.stdout is not None
            url = f"https://{forward.stdout.readline().split()[2]}/readyz"
            words = ["curl", "-s", "-m", "5", "-o", "/dev/null", url]
            wait_for(lambda: subprocess.run(words, check=False).returncode == 0, "it is served", seconds=150)
        finally:
            forward.terminate()
    now = operator.list("pods", "-l", "app.kubernetes.io/component=api")
    assert [(item["metadata"]["uid"], restarts(item)) for item in now] == [(pods[0]["metadata"]["uid"], 0)]


def restarts(pod: dict) -> int:
    """How often its containers were started anew."""
    return sum(item["restartCount"] for item in pod["status"]["containerStatuses"])
