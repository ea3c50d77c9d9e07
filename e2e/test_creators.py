"""The check of creators: a tenant who may write policies gets no more done than the ServiceAccount they name may do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from e2e.install import install_operator
from e2e.kube import Kube, condition, status, wait_for
from e2e.records import await_end, await_reason, await_run, make_sick, outcome
from e2e.small import apply, create, policy, workload


@pytest.fixture(scope="module")
def checking(operator: Kube) -> Iterator[Kube]:
    """The operator while it checks creators; afterwards it is as it was."""
    install_operator("--set", "authorization.checkCreator=true")
    yield operator
    install_operator()


def await_stalled(kube: Kube, name: str, reason: str) -> str:
    """Wait until a policy is Stalled for a reason; the message."""

    def told() -> str:
        found = condition(kube.get("rp", name), "Stalled")
        return str(found["message"]) if found.get("reason") == reason else ""

    return wait_for(told, f"policy {name} is Stalled: {reason}", instead=lambda: status(kube.get("rp", name)))


def test_a_policy_does_what_its_account_may_do_and_says_what_is_missing(checking: Kube, empty: Kube):
    del checking
    kube = empty
    kube.run("create", "serviceaccount", "tenant")
    create(kube, workload("shop"))
    apply(kube, policy("shop"))
    assert "spec.serviceAccountName" in await_stalled(kube, "shop", "ServiceAccountUnset")
    apply(kube, policy("shop", serviceAccountName="tenant"))
    message = await_stalled(kube, "shop", "Forbidden")
    assert "ServiceAccount tenant may not create pods/eviction" in message
    before = kube.pods("shop")
    make_sick(kube, "shop")
    wait_for(lambda: condition(kube.get("rp", "shop"), "Incident").get("status") == "True", "the incident is seen")
    assert status(kube.get("rp", "shop"))["lastDecision"]["reason"] == "Stalled"
    assert (kube.list("rr"), kube.pods("shop")) == ([], before)
    kube.apply(message.partition("apply: ")[2])
    run = await_run(kube, "shop")["metadata"]["name"]
    assert outcome(await_end(kube, run))[0] == "Succeeded"
    assert not condition(kube.get("rp", "shop"), "Stalled")


@pytest.mark.failure(
    of="Limits",
    what="The policy's ServiceAccount loses a right during a run",
    see="the next step waits with `Forbidden`; the run ends `Cancelled`",
    bound="answers at most 5 s old",
)
def test_a_right_that_is_withdrawn_stops_a_run_before_its_next_step(checking: Kube, empty: Kube):
    """The step waits for an approval; meanwhile the account loses its right."""
    del checking
    kube = empty
    kube.run("create", "serviceaccount", "tenant")
    kube.run("create", "role", "tenant", "--verb=create", "--resource=pods/eviction")
    kube.run("create", "rolebinding", "tenant", "--role=tenant", f"--serviceaccount={kube.namespace}:tenant")
    create(kube, workload("shop"))
    step = {"name": "restart", "action": {"restartPods": {}}, "timeout": "5s", "approval": {"within": "2m"}}
    apply(kube, policy("shop", serviceAccountName="tenant", ladder=[step], limits={"timeout": "30s"}))
    before = kube.pods("shop")
    make_sick(kube, "shop")
    run = await_run(kube, "shop")["metadata"]["name"]
    wait_for(lambda: outcome(kube.get("rr", run))[0] == "AwaitingApproval", "a person is asked")
    kube.run("delete", "rolebinding", "tenant")
    await_withdrawn(kube)
    # The answer by which the step was let through is good for five seconds.
    time.sleep(6)
    kube.run("annotate", "rr", run, "recovery.ultra.dev/approve=restart")
    await_reason(kube, run, "Forbidden")
    assert outcome(await_end(kube, run)) == ("Cancelled", "Forbidden")
    assert kube.pods("shop") == before


def await_withdrawn(kube: Kube) -> None:
    """Wait until the API server itself knows that the right is gone; its answers lag behind by a moment."""
    account = f"system:serviceaccount:{kube.namespace}:tenant"
    question = ("auth", "can-i", "create", "pods/eviction", f"--as={account}")
    wait_for(lambda: kube.run(*question, check=False).startswith("no"), "the right is gone")
