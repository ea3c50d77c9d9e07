"""Two replicas: the leader killed, stopped, frozen, robbed of its Lease and cut off from the API server."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.api import RIGHTS, Api, token_of
from e2e.kube import Kube, condition, status, wait_for
from e2e.replicas import Call, Pair, apply_recorder, calls, probes, process_of, seconds, send
from e2e.test_restart_pods import ended_run
from ultra_recovery.core.naming import LEADER_LEASE

REPETITIONS = int(os.environ.get("ULTRA_REPETITIONS", "2"))
FROZEN = 60.0
"""Seconds for which the leader is stopped."""
AFTER_THAW = 8.0
"""Seconds in which a thawed process shows what it still does."""
PROMISED = {"SIGTERM": 3.0, "SIGKILL": 20.0, "pod gone": 20.0, "SIGSTOP": 20.0}
"""Seconds from a fault to the first probe of a leader."""
BUSY = 5.0
"""Seconds that a machine with other work may add to a single one."""
GAPS: defaultdict[str, list[float]] = defaultdict(list)
ROWS: list[str] = []
HEAD = (
    f"{'fault':<10}{'to new leader':>15}{'to first probe':>16}{'warm in':>9}{'probe gap':>11}{'after thaw':>20}"
    "   (seconds)"
)


@dataclass(frozen=True, slots=True)
class Blow:
    """What was done to a leader, in which term, and when."""

    fault: str
    leader: str
    term: int
    address: str
    pid: int
    at: float


@pytest.fixture(scope="module")
def two(operator: Kube, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The operator with two replicas that the kubelet leaves alone for as long as one of them is frozen."""
    deployment = operator.get("deployment", "ultra-recovery")
    replicas = deployment["spec"]["replicas"]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    limit = next(item for item in containers if item["name"] == "operator")["livenessProbe"]["failureThreshold"]
    patch(operator, 2, 100)
    yield Pair(operator)
    patch(operator, replicas, limit)
    if ROWS:
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            print("", HEAD, *ROWS, sep="\n")


def patch(operator: Kube, replicas: int, limit: int) -> None:
    container = f'{{"name": "operator", "livenessProbe": {{"failureThreshold": {limit}}}}}'
    template = f'{{"spec": {{"containers": [{container}]}}}}'
    operator.run(
        "patch", "deployment", "ultra-recovery", "-p", f'{{"spec": {{"replicas": {replicas}, "template": {template}}}}}'
    )
    operator.run("rollout", "status", "deployment/ultra-recovery", "--timeout=110s")


@pytest.fixture
def pair(two: Pair) -> Pair:
    """Two fresh replicas, one of which leads."""
    two.make_fresh()
    return two


def evictions(since: float, namespace: str) -> list[str]:
    """The pods of a namespace whose eviction was accepted, once for each time."""
    return [
        call.name
        for call in calls(since)
        if call.resource == "pods/eviction" and call.namespace == namespace and call.accepted_write
    ]


def strike(pair: Pair, fault: str) -> Blow:
    """Do it to the process that leads."""
    leader, term = pair.leader(), pair.term()
    address, pid = pair.address(leader), process_of(leader)
    number = {"SIGTERM": signal.SIGTERM, "SIGSTOP": signal.SIGSTOP}.get(fault, signal.SIGKILL)
    at = send(pid, number)
    if fault == "pod gone":
        pair.operator.run("delete", "pod", leader, "--grace-period=0", "--force", "--wait=false")
    return Blow(fault, leader, term, address, pid, at)


def thaw(blow: Blow) -> list[Call]:
    """Let the frozen process go on; what it then asked of the API server until it was silent."""
    time.sleep(max(0.0, blow.at + FROZEN - time.time()))
    at = send(blow.pid, signal.SIGCONT)
    time.sleep(AFTER_THAW)
    return [call for call in calls(at) if call.pod == blow.leader]


def note(kube: Kube, blow: Blow, taken_at: float, thawed: list[Call]) -> float:
    """Put a row into the table; the seconds from the blow to the first probe of the new leader."""
    seen = wait_for(
        lambda: (found := probes(kube)) and found[-1].at > taken_at and found, "the new leader probes", seconds=10
    )
    before = max(probe.at for probe in seen if probe.at < taken_at)
    first = min(probe.at for probe in seen if probe.at >= taken_at)
    refused = sum(call.code in (409, 422) for call in thawed)
    done = sum(call.accepted_write for call in thawed)
    after = f"{done} done, {refused} refused" if blow.fault == "SIGSTOP" else ""
    figures = (taken_at - blow.at, first - blow.at, first - taken_at, first - before)
    ROWS.append("{:<10}{:>15.1f}{:>16.1f}{:>9.2f}{:>11.1f}{:>20}".format(blow.fault, *figures, after))
    return first - blow.at


@pytest.mark.local_cluster
@pytest.mark.parametrize("repetition", range(REPETITIONS))
@pytest.mark.parametrize("fault", list(PROMISED))
@pytest.mark.failure(
    of="Operator",
    what="The leader's process is killed, or its pod vanishes",
    see="the same run goes on under the other replica, with a new `leaderTerm`; no pod is evicted twice",
    bound="probes go on within 20 s",
)
@pytest.mark.failure(
    of="Operator",
    what="The leader freezes for a minute and thaws",
    see="another leads meanwhile; the thawed process writes nothing, its restart count is 1",
    bound="another probes within 20 s; 0 writes of the old one",
)
@pytest.mark.failure(
    of="Operator",
    what="The leader is drained or told to stop",
    see="it hands over, the run goes on",
    bound="another probes within 3 s",
)
def test_a_leader_lost_in_the_middle_of_a_run_is_replaced_and_the_run_goes_on(
    kube: Kube, pair: Pair, fault: str, repetition: int
) -> None:
    del repetition
    apply_recorder(kube)
    began, before = time.time(), kube.pods("web")
    victim = sorted(before)[0]
    kube.post(victim, "/hang")
    run = wait_for(lambda: (found := kube.find("rr", "web-1-1")) and status(found).get("steps") and found, "a run acts")
    blow = strike(pair, fault)
    lease = pair.await_term(blow.term)
    thawed = thaw(blow) if fault == "SIGSTOP" else []
    ended = ended_run(kube)
    taken_at = seconds(lease["acquireTime"])
    gap = note(kube, blow, taken_at, thawed)

    assert status(ended)["phase"] == "Succeeded", status(ended)
    assert ended["metadata"]["uid"] == run["metadata"]["uid"]
    assert [item["metadata"]["name"] for item in kube.list("rr")] == ["web-1-1"]
    assert status(ended)["leaderTerm"] != status(run)["leaderTerm"]
    assert evictions(began, kube.namespace) == [victim]
    assert set(before.values()) - set(kube.pods("web").values()) == {before[victim]}
    assert [call for call in thawed if call.accepted_write] == []
    if fault == "SIGSTOP":
        assert [probe for probe in probes(kube) if probe.source == blow.address and probe.at > taken_at] == []
        assert lease["holderIdentity"] != blow.leader
        assert pair.restarts()[blow.leader] == 1
    GAPS[fault].append(gap)
    assert gap <= PROMISED[fault] + BUSY


@pytest.mark.local_cluster
def test_leaders_were_replaced_as_soon_as_is_promised(two: Pair) -> None:
    del two
    for fault, gaps in GAPS.items():
        assert statistics.median(gaps) <= PROMISED[fault], (fault, gaps)


@pytest.mark.local_cluster
@pytest.mark.failure(
    of="Operator",
    what="Somebody else takes the leader's Lease",
    see="the leader's process ends and starts anew; nothing is done twice",
    bound="the process ends within 15 s",
)
def test_a_leader_whose_lease_somebody_else_takes_ends_and_nothing_is_done_twice(kube: Kube, pair: Pair) -> None:
    began, before = time.time(), kube.pods("web")
    leader, term, victim = pair.leader(), pair.term(), sorted(before)[0]
    kube.post(victim, "/hang")
    wait_for(lambda: status(kube.find("rr", "web-1-1")).get("steps"), "a run acts")
    pair.operator.run(
        "patch", "lease", LEADER_LEASE, "--type=merge", "-p", '{"spec": {"holderIdentity": "somebody-else"}}'
    )
    wait_for(lambda: pair.restarts().get(leader) == 1, "the leader's process ends", seconds=15)
    lease = pair.await_term(term)
    assert lease["holderIdentity"] in pair.pods()
    run = ended_run(kube)
    assert status(run)["phase"] == "Succeeded", status(run)
    assert evictions(began, kube.namespace) == [victim]
    assert sum(pair.restarts().values()) == 1


@pytest.mark.local_cluster
@pytest.mark.failure(
    of="API server",
    what="The API server does not answer",
    see="probes and effects stop, `/livez` stays good, no process restarts; `recovery_table_stale` is 1; "
    "afterwards one leads",
    bound="silent 13 s after the loss at the latest",
)
def test_without_an_api_server_nobody_acts_and_afterwards_one_of_two_leads(kube: Kube, pair: Pair) -> None:
    apply_recorder(kube)
    before, restarts = kube.pods("web"), pair.restarts()
    addresses = [pair.address(pod) for pod in pair.pods()]
    victim = sorted(before)[0]
    server = int((Path(os.environ["ULTRA_CLUSTER_PIDS"]) / "kube-apiserver.pid").read_text().split()[0])
    began = time.time()
    frozen_at = send(server, signal.SIGSTOP)
    try:
        time.sleep(30)
        alive = [healthy(f"http://{address}:{port}/livez") for address in addresses for port in (8080, 8085)]
    finally:
        thawed_at = send(server, signal.SIGCONT)
    pair.leader()
    silent = [probe for probe in probes(kube) if frozen_at + 13 < probe.at < thawed_at]
    wait_for(lambda: any(probe.at > thawed_at for probe in probes(kube)), "probes go on", seconds=30)
    assert alive == [True] * 4
    assert silent == []
    assert pair.restarts() == restarts
    kube.post(victim, "/hang")
    run = ended_run(kube)
    assert status(run)["phase"] == "Succeeded", status(run)
    assert evictions(began, kube.namespace) == [victim]
    writers = {call.pod for call in calls(thawed_at) if call.namespace == kube.namespace and call.accepted_write}
    assert writers - {""} == {pair.leader()}


def healthy(url: str) -> bool:
    """Whether an address answers 200 soon."""
    words = ["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", url]
    return subprocess.run(words, capture_output=True, text=True, timeout=10, check=False).stdout == "200"


@pytest.mark.local_cluster
def test_the_recovery_api_answers_on_the_pod_that_leads_and_on_the_other(kube: Kube, pair: Pair) -> None:
    kube.apply(RIGHTS)
    token = token_of(kube, "oncall")
    for pod in pair.pods():
        api = Api(f"http://{pair.address(pod)}:8085", token)
        answer = wait_for(
            lambda api=api: (found := api.curl("/api/recovery/circuit-breaker/status")).status == 200 and found,
            f"{pod} answers",
            seconds=20,
        )
        assert {item["name"] for item in answer.body["items"]} == {"inventory", "web"}
        assert api.curl("/readyz").status == 200


def test_the_metrics_of_both_replicas_say_who_leads(kube: Kube, pair: Pair) -> None:
    del kube
    leader = pair.leader()
    for pod in pair.pods():
        path = f"/api/v1/namespaces/{pair.operator.namespace}/pods/{pod}:8080/proxy/metrics"
        lines = pair.operator.run("get", "--raw", path).splitlines()
        leads = float(pod == leader)
        assert f'leader_election_master_status{{name="{LEADER_LEASE}"}} {leads}' in lines
        assert f"recovery_leader_term {float(pair.term()) if leads else 0.0}" in lines
        assert bool([line for line in lines if line.startswith("recovery_breaker_state{")]) <= bool(leads)
    assert condition(pair.operator.get("deployment", "ultra-recovery"), "Available")["status"] == "True"
