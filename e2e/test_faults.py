"""The operator killed, the operator gone, the API server gone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from e2e.install import REPLICAS, await_operator
from e2e.kube import Kube, condition, status, wait_for
from e2e.test_restart_pods import ended_run


def restarts(operator: Kube) -> int:
    """How often containers of the operator's pods were restarted."""
    pods = [item for item in operator.list("pods") if "deletionTimestamp" not in item["metadata"]]
    return sum(item["restartCount"] for pod in pods for item in status(pod)["containerStatuses"])


@pytest.mark.failure(
    of="Operator",
    what="All replicas are killed in the middle of a run",
    see="the next one resumes the run and looks before it repeats: one eviction",
    bound="1 eviction",
)
def test_an_operator_killed_in_the_middle_of_a_run_ends_it_with_one_eviction(kube: Kube, operator: Kube) -> None:
    before = kube.pods("web")
    victim = sorted(before)[0]
    kube.post(victim, "/hang")
    wait_for(lambda: status(kube.find("rr", "web-1-1")).get("steps"), "the run acts")
    operator.run("delete", "pods", "--all", "--grace-period=0", "--force")
    run = ended_run(kube)
    assert status(run)["phase"] in ("Succeeded", "Cancelled"), status(run)
    assert [effect["object"] for step in status(run)["steps"] for effect in step["effects"]] in ([victim], [])
    wait_for(lambda: before[victim] not in kube.pods("web").values(), "the hung pod is gone")
    assert len(set(before.values()) & set(kube.pods("web").values())) == 2
    await_operator(operator)


@pytest.mark.failure(
    of="Operator",
    what="The operator is down",
    see="nothing is recovered; objects and namespaces can be deleted, as nothing has a finalizer; alert "
    "UltraRecoveryOperatorDown",
    bound="deletes take effect at once",
)
def test_while_the_operator_is_down_everything_can_be_deleted(kube: Kube, operator: Kube) -> None:
    kube.post(sorted(kube.pods("web"))[0], "/hang")
    ended_run(kube)
    operator.run("scale", "deployment/ultra-recovery", "--replicas=0")
    try:
        kube.run("delete", "cb,rp,rr", "--all", "--timeout=10s")
        assert [*kube.list("cb"), *kube.list("rp"), *kube.list("rr")] == []
        kube.run("delete", "namespace", kube.namespace, "--timeout=90s")
    finally:
        operator.run("scale", "deployment/ultra-recovery", f"--replicas={REPLICAS}")
        await_operator(operator)


@pytest.mark.local_cluster
@pytest.mark.failure(
    of="API server",
    what="A pod hangs while the API server is away",
    see="nothing is done while it is away; afterwards the pod is replaced, the others keep their UIDs",
    bound="1 eviction, 0 restarts of the operator",
)
def test_while_the_api_server_is_gone_nothing_happens_and_afterwards_all_is_caught_up(
    kube: Kube, operator: Kube
) -> None:
    before, count = kube.pods("web"), restarts(operator)
    victim = sorted(before)[0]
    pid = int((Path(os.environ["ULTRA_CLUSTER_PIDS"]) / "kube-apiserver.pid").read_text().split()[0])
    kube.post(victim, "/hang")
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(45)
    finally:
        os.kill(pid, signal.SIGCONT)
    run = ended_run(kube)
    assert status(run)["phase"] == "Succeeded", status(run)
    assert len(set(before.values()) & set(kube.pods("web").values())) == 2
    assert restarts(operator) == count
    wait_for(lambda: condition(kube.get("cb", "inventory"), "TargetHealthy").get("status") == "True", "probes go on")
