"""The recovery API through its Service: what curl does, and what kubectl shows of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.api import RIGHTS, Api, Stream, token_of, way_in
from e2e.install import await_operator, leader_of, read
from e2e.kube import Kube, status, wait_for
from e2e.records import await_end, await_reason, await_run, make_sick, outcome
from e2e.small import RESTART, apply, create, policy, workload

POLICY = """
apiVersion: recovery.ultra.dev/v1alpha1
kind: RecoveryPolicy
metadata: {name: by-hand}
spec:
  targetRef: {kind: Deployment, name: web}
  mode: Manual
  triggers: [{name: reported, errorReported: {errorTypes: [CUSTOM_ERROR]}}]
  ladder: [{name: restart, action: {restartPods: {pods: All}}, timeout: 90s}]
  verify: {healthyFor: 1s, within: 20s}
  limits: {timeout: 180s}
"""
TRIAL = "/api/recovery/circuit-breaker/trial"
RUN = {"error_type": "CUSTOM_ERROR", "service_name": "by-hand", "context": {"additional": "recovery parameters"}}


@pytest.fixture
def address(operator: Kube) -> Iterator[str]:
    del operator
    with way_in() as url:
        yield url


@pytest.fixture
def api(kube: Kube, address: str) -> Api:
    """The API for somebody with rights in the namespace of the test, and only there."""
    kube.apply(RIGHTS)
    kube.apply(POLICY)
    found = Api(address, token_of(kube, "oncall"))
    wait_for(lambda: found.curl("/api/recovery/circuit-breaker/status").status == 200, "the rights are in force")
    return found


def breaker_state(kube: Kube) -> str:
    return str(status(kube.get("cb", "inventory")).get("state"))


def test_curl_resets_an_open_breaker_and_the_stream_and_kubectl_show_the_same(kube: Kube, api: Api):
    kube.run("scale", "deployment/inventory", "--replicas=0")
    wait_for(lambda: breaker_state(kube) == "Open", "the breaker is open")
    shown = api.curl("/api/recovery/circuit-breaker/status").body["items"]
    assert {item["namespace"] for item in shown} == {kube.namespace}
    assert next(item for item in shown if item["name"] == "inventory")["state"] == "Open"
    kube.run("scale", "deployment/inventory", "--replicas=1")
    kube.run("rollout", "status", "deployment/inventory", "--timeout=60s")
    stream = Stream(api)
    try:
        answer = api.post("/api/recovery/circuit-breaker/reset", {"service_name": "inventory"})
        assert answer.status == 202, answer.body
        changed = wait_for(
            lambda: next((time.monotonic() for _ in [0] if breaker_state(kube) == "Closed"), None), "it is closed"
        )
        seen = wait_for(
            lambda: [at for at, item in stream.events if item["name"] == "inventory" and item["state"] == "Closed"],
            "the stream shows it",
            seconds=5,
        )
    finally:
        stream.close()
    assert seen[0] - changed < 1
    assert status(kube.get("cb", "inventory"))["lastHandledResetAt"] == answer.body["reset_requested"]


def test_the_runbook_for_a_provider_that_is_down_works_as_printed(kube: Kube, api: Api):
    kube.apply(read("examples/openai.yaml"))
    wait_for(lambda: status(kube.get("cb", "openai")).get("state") == "Closed", "the breaker is seen")
    for _ in range(5):
        answer = api.post("/api/recovery/circuit-breaker/report", {"service_name": "openai", "outcome": "failure"})
        assert answer.status == 202, answer.body
    wait_for(lambda: status(kube.get("cb", "openai")).get("state") == "Open", "its reports have opened it", seconds=15)
    (entry,) = status(kube.get("cb", "openai"))["reporters"]
    assert (entry["consecutiveFailures"], entry["lastOutcome"]) == (5, "Failure")
    assert api.post("/api/recovery/circuit-breaker/trial", {"service_name": "openai"}).body["granted"] is False
    reset = ("-X", "POST", "-d", '{"service_name": "openai"}')
    assert api.curl("/api/recovery/circuit-breaker/reset", *reset).status == 202

    def shown() -> str:
        items = api.curl("/api/recovery/circuit-breaker/status").body["items"]
        return str(next(item["state"] for item in items if item["name"] == "openai"))

    wait_for(lambda: shown() == "Closed", "the status shows it closed", seconds=10)
    assert api.curl("/api/recovery/database/reconnect", "-X", "POST").status == 422
    assert api.curl("/api/health/database").status == 200


def test_a_triggered_run_is_seen_on_the_stream_and_is_the_one_that_kubectl_shows(kube: Kube, api: Api):
    before = kube.pods("web")
    stream = Stream(api)
    try:
        began = time.monotonic()
        answer = api.curl(
            "/api/recovery/trigger", "-X", "POST", "-H", "Idempotency-Key: e2e-1", "-d", str(RUN).replace("'", '"')
        )
        assert answer.status == 202, answer.body
        name = answer.body["runs"][0]["name"]
        seen = wait_for(lambda: [at for at, item in stream.events if item["name"] == name], "the stream shows it")
        assert seen[0] - began < 2
        location = answer.body["runs"][0]["location"]
        wait_for(lambda: api.curl(location).body["run"]["finished_at"], "the run has ended", seconds=120)
    finally:
        stream.close()
    run = kube.get("rr", name)
    assert run["spec"]["requestId"] == answer.body["request_id"]
    assert run["spec"]["requestedBy"] == f"system:serviceaccount:{kube.namespace}:oncall"
    assert api.curl(location).body["run"]["phase"] == status(run)["phase"]
    assert not set(before.values()) & set(kube.pods("web").values())
    again = api.curl(
        "/api/recovery/trigger", "-X", "POST", "-H", "Idempotency-Key: e2e-1", "-d", str(RUN).replace("'", '"')
    )
    assert (again.status, again.body["runs"][0]["name"], again.body["runs"][0]["replayed"]) == (202, name, True)
    assert len(kube.list("rr")) == 1


@pytest.mark.failure(
    of="Operator",
    what="It is killed between a call of the recovery API and its effect",
    see="what was asked for is done when it is back, once",
    bound="1 effect",
)
def test_an_operator_killed_between_the_call_and_the_effect_acts_once(kube: Kube, api: Api, operator: Kube):
    before = kube.pods("web")
    pod = leader_of(operator)
    answer = api.post("/api/recovery/trigger", RUN)
    assert answer.status == 202, answer.body
    operator.run("delete", "pod", pod, "--grace-period=0", "--force")
    name = answer.body["runs"][0]["name"]
    run = wait_for(
        lambda: next((item for item in kube.list("rr") if status(item).get("finishedAt")), None),
        "the run has ended",
        seconds=150,
    )
    assert [item["metadata"]["name"] for item in kube.list("rr")] == [name]
    evicted = [effect["id"] for step in status(run)["steps"] for effect in step.get("effects", [])]
    assert sorted(evicted) == sorted(before.values())
    await_operator(operator)


def test_nobody_gets_in_without_a_token_and_nobody_does_more_than_the_cluster_allows(kube: Kube, api: Api):
    assert api.curl("/livez").status == 200
    assert Api(api.url).curl("/api/recovery/status").status == 401
    wrong_audience = kube.run("create", "token", "oncall").strip()
    assert Api(api.url, wrong_audience).curl("/api/recovery/status").status == 401
    stranger = Api(api.url, token_of(kube, "stranger"))
    assert stranger.curl("/api/recovery/status").status == 403
    assert stranger.post("/api/recovery/circuit-breaker/reset", {"service_name": "inventory"}).status == 403
    kube.run("delete", "rolebinding", "oncall")
    wait_for(
        lambda: api.post("/api/recovery/trigger", {**RUN, "dry_run": True}).status == 403,
        "a revoked right ends at once",
        seconds=10,
    )


def test_a_step_is_approved_by_a_call_and_a_run_that_is_not_there_is_not_found(kube: Kube, api: Api):
    create(kube, workload("asked"))
    apply(kube, policy("asked", ladder=[{**RESTART, "approval": {"within": "2m"}}]))
    make_sick(kube, "asked")
    name = await_run(kube, "asked")["metadata"]["name"]
    await_reason(kube, name, "AwaitingApproval")
    path = f"/api/recovery/runs/{kube.namespace}"
    answer = wait_for(
        lambda: [found for found in [api.post(f"{path}/{name}/approve", {"reason": "go"})] if found.status == 202],
        "the API knows what the run waits for",
        seconds=10,
    )[0]
    assert answer.body["step"] == "restart"
    assert outcome(await_end(kube, name))[0] == "Succeeded"
    assert api.curl(f"{path}/there-is-none").status == 404


def test_one_caller_gets_the_trial_however_many_ask_at_once(kube: Kube, api: Api):
    meta = {"apiVersion": "recovery.ultra.dev/v1alpha1", "kind": "CircuitBreaker", "metadata": {"name": "provider"}}
    apply(kube, {**meta, "spec": {"target": {"external": {}}, "failureThreshold": 1, "recoveryTimeout": "1s"}})
    kube.run("create", "rolebinding", "stranger", "--role=oncall", f"--serviceaccount={kube.namespace}:stranger")
    other = Api(api.url, token_of(kube, "stranger"))
    asked = {"service_name": "provider"}
    for caller in (api, other):
        wait_for(lambda caller=caller: caller.post(TRIAL, asked).status == 200, "the API knows caller and breaker")
    assert api.post("/api/recovery/circuit-breaker/report", {**asked, "outcome": "failure"}).status == 202
    wait_for(lambda: status(kube.get("cb", "provider")).get("state") == "HalfOpen", "its trial time has come")
    # The cache of the API is a moment behind; nobody asks meanwhile, or the trial would be taken already.
    time.sleep(1)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda caller: (caller.token, caller.post(TRIAL, asked).body), [api, other] * 6))
    assert len({token for token, body in answers if body["granted"]}) == 1, [body for _, body in answers]
