"""From the release before to this one and back, with work in flight; CRDs that are too old; removal and return.

The tests follow one installation through its life, in the order in which they stand here.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.audit import PROVOKED, read_usage
from e2e.install import OPERATOR_NAMESPACE, RELEASE, helm, install_operator, make_namespace
from e2e.kube import Kube, status, wait_for
from e2e.records import await_end, await_run, effects, runs_of
from e2e.releases import install_previous, ready_page, runs_previous
from e2e.small import apply, breaker, create, cron_job, job, policy, run_by_hand, workload

PODS = ("-l", "app.kubernetes.io/component=operator")
PROJECT = Path(__file__).resolve().parents[1]
REPAIR = {**job("repair", "repair", **{"class": "DependencyRepair", "breaker": "gone"}), "timeout": "90s"}
KEPT = ("state", "epoch", "since", "reason", "reopenCount", "lastHandledResetAt", "handledResets")
"""What of a breaker's status no change of the operator's version may change."""


@pytest.fixture(scope="module")
def shop(operator: Kube) -> Iterator[Kube]:
    """A namespace under the previous release: a breaker that is Open, one HalfOpen, and one that was reset by hand."""
    del operator
    with without_rights():
        helm("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait")
        wait_for(lambda: not pods(Kube(OPERATOR_NAMESPACE)), "no pod of the operator is left")
    install_previous()
    kube = make_namespace(f"e2e-upgrade-{uuid.uuid4().hex[:8]}")
    create(kube, workload("web"), cron_job("repair", "sleep 45"))
    apply(kube, *[item for item in workload("gone", replicas=0) if item["kind"] == "Service"])
    half = breaker("half")
    half["spec"] |= {"successThreshold": 100, "halfOpenTimeout": "10m"}
    half["spec"]["target"]["http"]["serviceRef"]["name"] = "web"
    half["spec"]["probe"] |= {"trialInterval": "10s"}
    apply(kube, breaker("web"), half)
    await_state(kube, "web", "Closed")
    kube.reset("cb", "web", "first")
    wait_for(lambda: status(kube.get("cb", "web")).get("lastHandledResetAt") == "first", "the reset is handled")
    (pod,) = kube.pods("web")
    kube.post(pod, "/fail?seconds=5")
    await_state(kube, "half", "Open")
    await_state(kube, "half", "HalfOpen")
    await_state(kube, "web", "Closed")
    apply(kube, breaker("gone"), repairing())
    await_state(kube, "gone", "Open")
    yield kube
    kube.run("delete", "namespace", kube.namespace, "--wait=false")
    install_operator()


def repairing() -> dict[str, Any]:
    """A policy whose only step takes three quarters of a minute, and helps nobody."""
    triggers = [{"name": "gone", "circuitOpen": {"breaker": "gone"}}]
    limits = {"maxAttempts": 1, "interval": "10m"}
    return policy("web", triggers=triggers, ladder=[REPAIR], limits=limits)


def await_state(kube: Kube, name: str, state: str) -> None:
    """Wait until a breaker is in a state."""
    wait_for(lambda: status(kube.find("cb", name)).get("state") == state, f"breaker {name} is {state}")


def standing(kube: Kube) -> dict[str, dict[str, Any]]:
    """What must stay of every breaker. The one that is Open tries, and fails, all the time; its state is what stays."""
    found = {}
    for item in kube.list("cb"):
        parts = {name: status(item).get(name) for name in KEPT}
        found[item["metadata"]["name"]] = parts
    return found


def jobs(kube: Kube) -> set[str]:
    """Names of all Jobs that were made."""
    return {item["metadata"]["name"] for item in kube.list("jobs")}


def finish(kube: Kube, name: str, phase: str) -> None:
    """A run ends as if nothing had happened meanwhile: one Job, made once."""
    run = await_end(kube, name, seconds=120)
    assert effects(run) == [("CreateJob", "Created")], status(run)
    assert status(run)["phase"] == phase, status(run)


@contextmanager
def without_rights() -> Iterator[None]:
    """Helm takes rights away, or exchanges them, before the pods that use them are gone: their refusals are no lack."""
    began = datetime.now(UTC)
    yield
    if "ULTRA_AUDIT_LOG" in os.environ:
        PROVOKED.update(read_usage(began).refused)


def upgrade(*words: str) -> None:
    """Go to the present chart."""
    install_operator(*words)


@pytest.mark.failure(
    of="Operator",
    what="It is upgraded while a run works",
    see="the new version goes on with the run; breakers keep state, epoch and counters",
    bound="0 repeated effects",
)
def test_an_upgrade_repeats_nothing_and_breakers_keep_their_state(shop: Kube) -> None:
    operator = Kube(OPERATOR_NAMESPACE)
    assert runs_previous(operator)
    run = await_run(shop, "web")["metadata"]["name"]
    wait_for(lambda: len(jobs(shop)) == 1, "the Job is made")
    before = standing(shop)
    upgrade()
    assert not runs_previous(operator)
    assert not status(shop.get("rr", run)).get("finishedAt"), "the run was over before the upgrade"
    finish(shop, run, "Failed")
    assert len(jobs(shop)) == 1
    assert standing(shop) == before
    assert len(runs_of(shop, "web")) == 1


def test_going_back_repeats_nothing_and_the_older_version_reads_what_the_newer_one_wrote(shop: Kube) -> None:
    operator = Kube(OPERATOR_NAMESPACE)
    before = standing(shop)
    shop.run("create", "-f", "-", text=json.dumps(run_by_hand("by-hand", "web")))
    wait_for(lambda: len(jobs(shop)) == 2, "the second Job is made")
    with without_rights():
        helm("rollback", RELEASE, "1", "--namespace", OPERATOR_NAMESPACE, "--wait", "--timeout=4m")
        wait_for(lambda: runs_previous(operator), "the previous version runs")
    # It was asked for while all was good, so it proves nothing.
    finish(shop, "by-hand", "Inconclusive")
    assert len(jobs(shop)) == 2
    assert standing(shop) == before
    assert {item["status"]["conditions"][0]["status"] for item in shop.list("cb,rp")} == {"True"}


@pytest.mark.failure(
    of="Input",
    what="The CRDs are older than the operator needs",
    see="it does not start, says so in `/readyz?verbose`, its log and alert UltraRecoveryCrdsOutdated; the "
    "old pods go on",
    bound="exit code 1 after a minute",
)
def test_on_crds_that_are_too_old_the_new_version_says_so_and_the_old_one_goes_on(shop: Kube) -> None:
    operator = Kube(OPERATOR_NAMESPACE)
    before = standing(shop)
    old = {item["metadata"]["name"] for item in operator.list("pods", *PODS)}
    with pytest.raises(Exception, match=r"(?s)timed out|not ready|deadline"):
        helm_without_crds("--wait", "--timeout=20s")
    fresh = [name for name in pods(operator) if name not in old]
    assert len(fresh) == 1
    assert old & pods(operator)
    page = ready_page(operator, fresh[0])
    assert "is too old: its schema is of revision 0" in page
    assert "kubectl apply --server-side --force-conflicts -f crds/" in page
    assert "is too old" in operator.run("logs", fresh[0], "-c", "operator")
    wait_for(lambda: ended_with(operator, fresh[0]) == 1, "the process ends with an exit code of its own", seconds=80)
    assert standing(shop) == before
    operator.run("apply", "--server-side", "--force-conflicts", "-f", str(PROJECT / "crds"))
    operator.run("rollout", "status", f"deployment/{RELEASE}", "--timeout=110s")
    assert not runs_previous(operator)
    assert standing(shop) == before


def test_uninstall_keeps_all_objects_and_they_can_be_deleted(shop: Kube) -> None:
    before = standing(shop)
    with without_rights():
        said = helm("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait")
        wait_for(lambda: not pods(Kube(OPERATOR_NAMESPACE)), "no pod of the operator is left")
    assert standing(shop) == before
    assert {item["metadata"]["name"] for item in shop.list("rr")} >= {"by-hand"}
    assert len(shop.run("get", "crd", "-l", "app.kubernetes.io/name=ultra-recovery", "-o", "name").split()) == 3
    shop.run("delete", "cb", "half", "--timeout=10s")
    assert "uninstalled" in said


def test_what_is_installed_again_goes_on_as_before(shop: Kube) -> None:
    before, due = standing(shop), status(shop.get("cb", "gone"))["nextProbeAt"]
    upgrade()
    wait_for(lambda: status(shop.get("cb", "gone"))["nextProbeAt"] != due, "breakers are cared for again")
    after = standing(shop)
    assert after["web"] == before["web"], "the reset of long ago is not carried out again"
    assert after["gone"]["state"] == "Open"
    assert len(runs_of(shop, "web")) == 2
    assert len(jobs(shop)) == 2


def helm_without_crds(*words: str) -> None:
    """Upgrade to the present chart and leave the CRDs as they are."""
    helm(
        "upgrade",
        RELEASE,
        str(PROJECT / "helm/ultra-recovery"),
        "--namespace",
        OPERATOR_NAMESPACE,
        "--set",
        "crds.enabled=false",
        *words,
    )


def pods(kube: Kube) -> set[str]:
    """Names of the operator's pods that are not on their way out."""
    found = [item["metadata"] for item in kube.list("pods", *PODS)]
    return {meta["name"] for meta in found if "deletionTimestamp" not in meta}


def ended_with(kube: Kube, pod: str) -> int | None:
    """The exit code of the operator's container the last time that it ended."""
    for item in status(kube.get("pod", pod)).get("containerStatuses", []):
        if item["name"] == "operator":
            for state in (item["state"], item["lastState"]):
                if "terminated" in state:
                    return int(state["terminated"]["exitCode"])
    return None
