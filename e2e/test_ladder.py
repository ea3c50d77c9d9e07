"""Ladders that escalate: eviction, a Job, a hook, a page."""

from __future__ import annotations

import json

import pytest

from e2e.kube import Kube, status, wait_for
from e2e.records import await_end, await_run, make_sick, notes, ready_pods, results
from e2e.small import create, hook, page, policy, workload


@pytest.mark.failure(
    of="Workload",
    what="New pods are no better than the old ones",
    see="the step is `Unverified`, the next rung of the ladder is taken: here a repair Job",
    bound="`timeout` of the step plus `verify.within`",
)
def test_when_eviction_does_not_help_the_repair_job_does_and_says_what_it_changed(kube: Kube) -> None:
    shorter = [
        {"op": "replace", "path": "/spec/ladder/0/timeout", "value": "6s"},
        {"op": "replace", "path": "/spec/verify", "value": {"healthyFor": "1s", "within": "15s"}},
    ]
    kube.run("patch", "rp", "web", "--type=json", "-p", json.dumps(shorter))
    (inventory,) = kube.pods("inventory")
    kube.post(inventory, "/spoil")
    run = await_end(kube, await_run(kube, "web")["metadata"]["name"])
    name, record = run["metadata"]["name"], status(run)
    assert (record["phase"], record["reason"]) == ("Succeeded", "Verified"), record
    assert [step[0] for step in results(run)] == ["restart", "repair"]
    assert results(run)[0][1] in ("Unverified", "Error")
    assert f"http://inventory/heal says: changed (run {name})" in record["steps"][1]["evidence"]
    assert ready_pods(kube, "web") == 3
    (made,) = kube.list("jobs")
    assert made["metadata"]["labels"]["recovery.ultra.dev/run"] == name
    assert status(kube.get("cb", "inventory"))["state"] == "Closed"
    assert notes(kube) == []
    assert not kube.list("lease")


def test_a_hook_heals_or_people_are_told_once_in_a_cloud_event(empty: Kube) -> None:
    needs = "http://stock/stock"
    create(empty, workload("stock"), workload("pager"), workload("shop", needs=needs), workload("sick", replicas=2))
    create(
        empty,
        policy("shop", ladder=[hook("heal", "stock", "/heal")], verify={"healthyFor": "1s", "within": "10s"}),
        policy("sick", ladder=[hook("vain", "sick", "/heal"), page()], limits={"maxAttempts": 2, "interval": "1s"}),
    )
    (stock,) = empty.pods("stock")
    empty.post(stock, "/spoil")
    make_sick(empty, "sick")
    healed = await_end(empty, await_run(empty, "shop")["metadata"]["name"])
    assert status(healed)["phase"] == "Succeeded", status(healed)
    assert status(healed)["steps"][0]["effects"][0]["outcome"] == "Called"
    wait_for(
        lambda: len([run for run in empty.list("rr") if status(run).get("phase") == "Failed"]) == 2, "two attempts"
    )
    (event,) = notes(empty)
    assert (event["specversion"], event["type"]) == ("1.0", "recovery.ultra.dev.notification")
    assert event["source"].endswith(f"/namespaces/{empty.namespace}")
    assert (event["data"]["policy"], event["data"]["message"]) == ("sick", "see the runbook")
    assert [step["result"] for step in event["data"]["steps"]] == ["Unverified"]
    assert "see the runbook" in empty.run("describe", "rp", "sick")
