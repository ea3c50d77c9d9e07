"""What the views of objects that are not ours keep of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.specs import SPECS
from ultra_recovery.core.objects import Key, Kind, Namespace, Pod, Run, Terminated, Workload
from ultra_recovery.core.parsing import parse

AT = "2026-01-05T09:00:00Z"
MOMENT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def end(reason: str, code: int = 1, **more: Any) -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code, "finishedAt": AT, **more}}


def pod(*containers: dict[str, Any], owner: str = "ReplicaSet", spec: Any = None, **status: Any) -> Pod:
    statuses = [{"name": f"c{number}", **item} for number, item in enumerate(containers)]
    reference = {"kind": owner, "name": "o", "uid": "u", "controller": True}
    meta = {"name": "p", "namespace": "shop", "ownerReferences": [reference]}
    document = {"metadata": meta, "spec": spec or {}, "status": {"containerStatuses": statuses, **status}}
    seen = parse(Kind.POD, document)
    assert isinstance(seen, Pod)
    return seen


def workload(**spec: Any) -> Workload:
    seen = parse(Kind.DEPLOYMENT, {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
    assert isinstance(seen, Workload)
    return seen


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({"state": {"running": {}}}, [], id="runs, never ended"),
        pytest.param({"state": end("Completed", 0)}, [("Completed", 0)], id="ended"),
        pytest.param({"state": {"running": {}}, "lastState": end("OOMKilled", 137)}, [("OOMKilled", 137)], id="again"),
        pytest.param(
            {"state": end("Error"), "lastState": end("OOMKilled", 137)},
            [("Error", 1), ("OOMKilled", 137)],
            id="ended twice",
        ),
        pytest.param({"state": {"terminated": {"exitCode": 2}}}, [("", 2)], id="no reason"),
    ],
)
def test_present_and_previous_ends_of_a_container_are_kept(container, expected):
    assert [(item.reason, item.exit_code) for item in pod(container).terminated] == expected


def test_ends_of_init_containers_come_last():
    init = [{"name": "init", "state": end("Completed", 0)}]
    seen = pod({"state": end("Error")}, initContainerStatuses=init)
    assert [item.container for item in seen.terminated] == ["c0", "init"]
    assert seen.terminated[0] == Terminated("c0", "Error", 1, MOMENT)


@pytest.mark.parametrize(("owner", "message"), [("Job", "x" * 4096), ("ReplicaSet", "")])
def test_termination_messages_are_kept_of_pods_of_jobs_only_and_are_bounded(owner: str, message: str):
    (ended,) = pod({"state": end("Completed", 0, message="x" * 5000)}, owner=owner).terminated
    assert ended.message == message


def test_restarts_of_all_containers_are_counted():
    seen = pod({"restartCount": 2}, {"restartCount": 3}, initContainerStatuses=[{"name": "i", "restartCount": 1}])
    assert seen.restart_count == 6


@pytest.mark.parametrize(
    ("spec", "status", "scheduled"),
    [
        pytest.param({}, {}, False, id="new"),
        pytest.param({"nodeName": "n"}, {}, True, id="has a node"),
        pytest.param({}, {"conditions": [{"type": "PodScheduled", "status": "True"}]}, True, id="condition"),
        pytest.param({}, {"conditions": [{"type": "PodScheduled", "status": "False"}]}, False, id="no room"),
    ],
)
def test_a_pod_is_scheduled_when_it_has_a_node(spec, status, scheduled):
    assert pod(spec=spec, **status).scheduled is scheduled


def test_an_object_that_is_being_deleted_says_since_when():
    seen = parse(Kind.POD, {"metadata": {"name": "p", "namespace": "shop", "deletionTimestamp": AT}})
    assert (seen.meta.deleting, seen.meta.deleted_at) == (True, MOMENT)


def test_scaling_leaves_the_digest_of_the_template_alone_and_a_rollout_changes_it():
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "a"}]}}
    other = {"spec": {"containers": [{"image": "b", "name": "c"}]}, "metadata": {"labels": {"app": "web"}}}
    reordered = {"spec": {"containers": [{"image": "a", "name": "c"}]}, "metadata": {"labels": {"app": "web"}}}
    digest = workload(template=template, replicas=1).template_digest
    assert len(digest) == 16
    assert workload(template=reordered, replicas=9).template_digest == digest
    assert workload(template=other, replicas=1).template_digest != digest
    assert workload().template_digest == ""


def test_a_namespace_has_no_namespace_and_shows_its_annotations():
    seen = parse(Kind.NAMESPACE, {"metadata": {"name": "shop", "annotations": {"a": "b"}}})
    assert isinstance(seen, Namespace)
    assert seen.meta.key == Key(Kind.NAMESPACE, "", "shop")
    assert seen.meta.annotations == {"a": "b"}


def planned(name: str, generation: int) -> Run:
    spec = SPECS["RecoveryPolicy"]
    plan = {"policyGeneration": generation, "verify": {}, "limits": {}}
    plan |= {part: spec[part] for part in ("targetRef", "triggers", "ladder")}
    document = {"metadata": {"name": name}, "spec": SPECS["RecoveryRun"], "status": {"plan": plan}}
    seen = parse(Kind.RUN, json.loads(json.dumps(document)))
    assert isinstance(seen, Run)
    return seen


def test_runs_by_the_same_plan_share_it():
    plans = [run.status.plan for run in (planned("web-1-1", 1), planned("web-1-2", 1), planned("web-2-1", 2))]
    assert plans[0] is plans[1]
    assert [plan and plan.policy_generation for plan in plans] == [1, 1, 2]
