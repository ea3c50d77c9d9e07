"""The Job that is made of a CronJob."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.job_document import MAX_VALUE, MAX_VARIABLES, job_document


def cron_job(*, pod: Any = None, template: Any = None, job: Any = None, **spec: Any) -> dict[str, Any]:
    pod_spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "i"}], **(pod or {})}
    job_template = {"spec": {"template": {"spec": pod_spec}, **(job or {})}, **(template or {})}
    return {
        "metadata": {"name": "repair", "namespace": "shop", "uid": "u-1"},
        "spec": {"suspend": True, "jobTemplate": job_template, **spec},
    }


def make(source: dict[str, Any], environment: Mapping[str, str] | None = None, *, deadline: int = 60) -> dict[str, Any]:
    labels = {"recovery.ultra.dev/policy": "orders"}
    return job_document(
        source, name="orders-1", labels=labels, environment=environment or {}, deadline_seconds=deadline
    )


def variables(job: dict[str, Any], *, kind: str = "containers", index: int = 0) -> dict[str, str]:
    container = job["spec"]["template"]["spec"][kind][index]
    return {item["name"]: item["value"] for item in container["env"]}


def test_the_job_is_what_kubectl_makes_with_our_labels_and_limits():
    template = {"metadata": {"labels": {"team": "shop"}, "annotations": {"a": "b"}}}
    job = make(cron_job(template=template, job={"backoffLimit": 0}))
    assert job == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "orders-1",
            "namespace": "shop",
            "labels": {"team": "shop", "recovery.ultra.dev/policy": "orders"},
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual", "a": "b"},
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": "repair", "uid": "u-1", "controller": True}
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60,
            "ttlSecondsAfterFinished": 3600,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "i", "env": []}]}},
        },
    }


def test_the_cron_job_itself_is_not_changed():
    source = cron_job()
    before = copy.deepcopy(source)
    make(source, {"RECOVERY_RUN": "orders-1"})["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert source == before


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(cron_job(suspend=False), "set spec.suspend to true", id="scheduled"),
        pytest.param(cron_job(suspend=None), "set spec.suspend to true", id="suspend absent"),
        pytest.param(cron_job(jobTemplate=None), "no container", id="no template"),
        pytest.param(cron_job(jobTemplate={"spec": None}), "no container", id="empty template"),
        pytest.param(cron_job(pod={"containers": []}), "no container", id="no container"),
        pytest.param(
            {**cron_job(), "metadata": {"name": "repair", "deletionTimestamp": "2026-01-05T09:00:00Z"}},
            "being deleted",
            id="going",
        ),
    ],
)
def test_a_cron_job_that_cannot_be_used_is_refused_with_its_reason(source: dict[str, Any], words: str):
    with pytest.raises(SpecError, match=words) as caught:
        make(source)
    assert caught.value.reason is Reason.CRON_JOB_UNUSABLE
    assert "CronJob repair" in str(caught.value)


@pytest.mark.parametrize(
    ("own", "given_", "expected"),
    [
        pytest.param(None, 60, 60, id="none of its own"),
        pytest.param(30, 60, 30, id="its own is shorter"),
        pytest.param(600, 60, 60, id="ours is shorter"),
        pytest.param(None, 0, 1, id="never below a second"),
    ],
)
def test_the_shorter_deadline_holds(own: int | None, given_: int, expected: int):
    job = {} if own is None else {"activeDeadlineSeconds": own}
    assert make(cron_job(job=job), deadline=given_)["spec"]["activeDeadlineSeconds"] == expected


@pytest.mark.parametrize("own", [0, 60])
def test_a_time_to_live_of_its_own_is_kept(own: int):
    assert make(cron_job(job={"ttlSecondsAfterFinished": own}))["spec"]["ttlSecondsAfterFinished"] == own


def test_every_container_gets_the_environment_and_keeps_what_it_has():
    own = {"name": "RECOVERY_RUN", "value": "mine"}
    pod = {
        "containers": [{"name": "a", "env": [own]}, {"name": "b"}],
        "initContainers": [{"name": "i", "env": [{"name": "OTHER", "value": "x"}]}],
    }
    job = make(cron_job(pod=pod), {"RECOVERY_RUN": "orders-1", "RECOVERY_STEP": "repair"})
    assert variables(job) == {"RECOVERY_RUN": "mine", "RECOVERY_STEP": "repair"}
    assert variables(job, index=1) == {"RECOVERY_RUN": "orders-1", "RECOVERY_STEP": "repair"}
    assert variables(job, kind="initContainers") == {
        "OTHER": "x",
        "RECOVERY_RUN": "orders-1",
        "RECOVERY_STEP": "repair",
    }


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("RECOVERY_A", "plain", {"RECOVERY_A": "plain"}, id="plain"),
        pytest.param("PATH", "x", {}, id="a foreign name"),
        pytest.param("RECOVERY_a b", "x", {}, id="no name"),
        pytest.param("RECOVERY_A", "$(PASSWORD) $$", {"RECOVERY_A": "$$(PASSWORD) $$$$"}, id="a reference"),
        pytest.param("RECOVERY_A", "a\0b\x1bc", {"RECOVERY_A": "ab c"}, id="control characters"),
        pytest.param("RECOVERY_A", "x" * 5000, {"RECOVERY_A": "x" * MAX_VALUE}, id="long"),
    ],
)
def test_the_environment_is_bounded_and_literal(name: str, value: str, expected: dict[str, str]):
    assert variables(make(cron_job(), {name: value})) == expected


@given(st.dictionaries(st.text(max_size=80) | st.from_regex(r"RECOVERY_[A-Z]{1,9}", fullmatch=True), st.text()))
def test_whatever_the_environment_is_the_job_stays_small_and_can_be_sent(environment: dict[str, str]):
    job = make(cron_job(), environment)
    found = variables(job)
    assert len(found) <= MAX_VARIABLES
    assert all(name.startswith("RECOVERY_") and len(value) <= 2 * MAX_VALUE for name, value in found.items())
    str(job).encode()
