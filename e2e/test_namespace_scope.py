"""The scope of one namespace: the chart makes no ClusterRole, and everything works there, and nowhere else."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

import pytest

from e2e.api import Api, way_in
from e2e.install import REPLICAS, await_operator, helm, install_operator, make_namespace
from e2e.kube import Kube, condition, status, wait_for
from e2e.records import await_decision, await_end, await_run, effects, make_sick, outcome
from e2e.small import apply, breaker, create, cron_job, job, page, policy, workload

VALUES = {
    "scope": "namespace",
    "replicas": "1",
    "authorization.checkCreator": "true",
    # There once for the whole cluster, and owned by the other release.
    "crds.enabled": "false",
}
GRANTS = ("--verb=create", "--resource=pods/eviction,jobs.batch")


@pytest.fixture(scope="module")
def alone(operator: Kube) -> Iterator[None]:
    """No operator of the whole cluster, which would see the same objects."""
    operator.run("scale", "deployment/ultra-recovery", "--replicas=0")
    operator.run("wait", "--for=delete", "pods", "-l", "app.kubernetes.io/name=ultra-recovery", "--timeout=90s")
    yield
    operator.run("scale", "deployment/ultra-recovery", f"--replicas={REPLICAS}")
    await_operator(operator)


@pytest.fixture(scope="module")
def own(alone: None) -> Iterator[Kube]:
    """A namespace with an operator of its own, and an account that policies may name."""
    del alone
    name = f"e2e-own-{uuid.uuid4().hex[:8]}"
    words = [word for key, value in VALUES.items() for word in ("--set", f"{key}={value}")]
    kube = install_operator(*words, namespace=name)
    kube.run("create", "serviceaccount", "healer")
    kube.run("create", "role", "healer", *GRANTS)
    kube.run("create", "rolebinding", "healer", "--role=healer", f"--serviceaccount={name}:healer")
    yield kube
    helm("uninstall", "ultra-recovery", "--namespace", name)
    kube.run("delete", "namespace", name, "--wait=false")


def healed_by(name: str, **spec: object) -> dict:
    """A policy for whose actions the account answers."""
    return policy(name, serviceAccountName="healer", **spec)


def names_of(api: Api) -> set[str]:
    """Names of the breakers that the API shows."""
    return {item["name"] for item in api.curl("/api/recovery/circuit-breaker/status").body["items"]}


def test_the_operator_has_rights_in_its_namespace_and_nowhere_else(own: Kube):
    account = f"system:serviceaccount:{own.namespace}:ultra-recovery"
    for binding in own.list("clusterrolebindings"):
        names = [subject.get("namespace") for subject in binding.get("subjects") or ()]
        assert own.namespace not in names, binding["metadata"]["name"]

    def may(*words: str) -> bool:
        return own.run("auth", "can-i", *words, f"--as={account}", check=False).startswith("yes")

    assert may("list", "pods")
    assert not may("list", "pods", "--all-namespaces")
    assert not may("get", "secrets")
    assert not may("create", "subjectaccessreviews.authorization.k8s.io", "--all-namespaces")


def test_a_hung_pod_is_recovered(own: Kube):
    create(own, workload("web", replicas=2))
    apply(own, healed_by("web"))
    before = own.pods("web")
    pod = sorted(before)[0]
    own.post(pod, "/hang")
    run = await_end(own, await_run(own, "web")["metadata"]["name"])
    assert (outcome(run)[0], effects(run)) == ("Succeeded", [("Evict", "Evicted")])
    assert set(before.values()) - set(own.pods("web").values()) == {before[pod]}
    assert "Evicted" in own.run("describe", "rr", run["metadata"]["name"])


def test_a_ladder_of_a_job_and_a_message_works_and_a_breaker_is_probed(own: Kube):
    create(own, workload("pager"), workload("store"), cron_job("repair", "exit 0"))
    apply(own, breaker("store"), healed_by("store", ladder=[job("repair", "repair"), page()]))
    wait_for(lambda: status(own.get("cb", "store")).get("state") == "Closed", "the breaker is probed")
    make_sick(own, "store")
    wait_for(lambda: status(own.get("cb", "store")).get("state") == "Open", "the breaker opens")
    run = await_end(own, await_run(own, "store")["metadata"]["name"])
    assert ("CreateJob", "Created") in effects(run), status(run)
    own.run("delete", "rp", "store")


def test_the_annotation_of_the_namespace_is_read_twice_a_minute(own: Kube):
    """The gate of a pause comes before that of the mode, so the decision shows which of them is known."""
    create(own, workload("paused"))
    apply(own, healed_by("paused", mode="Manual"))
    make_sick(own, "paused")
    await_decision(own, "paused", "Manual")
    own.run("annotate", "namespace", own.namespace, "recovery.ultra.dev/paused=true")
    await_decision(own, "paused", "NamespacePaused", seconds=45)
    own.run("annotate", "namespace", own.namespace, "recovery.ultra.dev/paused-")
    await_decision(own, "paused", "Manual", seconds=45)


def test_a_policy_whose_account_may_not_evict_is_stalled(own: Kube):
    own.run("create", "serviceaccount", "nobody")
    create(own, workload("other"))
    apply(own, policy("other", serviceAccountName="nobody"))
    wait_for(lambda: condition(own.get("rp", "other"), "Stalled").get("reason") == "Forbidden", "it is stalled")


def test_the_api_knows_callers_by_its_file_and_works_in_the_namespace(own: Kube):
    secret = own.get("secret", "ultra-recovery-api-tokens")
    token = base64.b64decode(secret["data"]["admin"]).decode()
    with way_in(own.namespace) as url:
        assert Api(url).curl("/api/recovery/status").status == 401
        api = Api(url, token)
        shown = api.curl("/api/recovery/status")
        assert shown.status == 200, shown.body
        create(own, workload("called"))
        apply(own, breaker("called"))
        wait_for(lambda: status(own.get("cb", "called")).get("state") == "Closed", "the breaker is probed")
        wait_for(lambda: names_of(api) >= {"called"}, "the API shows it")
        answer = api.post("/api/recovery/circuit-breaker/reset", {"service_name": "called"})
        assert answer.status == 202, answer.body
        wait_for(
            lambda: status(own.get("cb", "called")).get("lastHandledResetAt") == answer.body["reset_requested"],
            "it is handled",
        )


def test_objects_of_other_namespaces_are_left_alone(own: Kube):
    del own
    other = make_namespace(f"e2e-other-{uuid.uuid4().hex[:8]}")
    try:
        create(other, workload("web"))
        apply(other, policy("web"))
        before = other.pods("web")
        make_sick(other, "web")
        wait_for(lambda: not status(other.get("deployment", "web")).get("readyReplicas"), "the pod is ill")
        assert "status" not in other.get("rp", "web")
        assert other.pods("web") == before
    finally:
        other.run("delete", "namespace", other.namespace, "--wait=false")
