"""What a Job and its pods say of how it went."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.core.job_document import JobState, job_result
from ultra_recovery.core.objects import Key, Kind, Meta, Owner, Pod, Terminated

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def job(*conditions: str, reason: str = "", completions: int | None = None) -> dict[str, Any]:
    shown = [{"type": item, "status": "True", "reason": reason} for item in conditions]
    return {"metadata": {"uid": "job"}, "spec": {"completions": completions}, "status": {"conditions": shown}}


def pod(message: str = "", *, code: int = 0, uid: str = "job", seconds: float = 0) -> Pod:
    finished = NOW + timedelta(seconds=seconds)
    ended = Terminated("main", "Error" if code else "Completed", code, finished, message)
    return Pod(
        Meta(Key(Kind.POD, "shop", f"p-{seconds}"), "u", "1"),
        phase="Failed" if code else "Succeeded",
        owner=Owner("Job", "j", uid),
        terminated=(ended,),
    )


RUNNING = Pod(Meta(Key(Kind.POD, "shop", "r"), "u", "1"), phase="Running", owner=Owner("Job", "j", "job"))


@pytest.mark.parametrize(
    ("seen", "pods", "state"),
    [
        pytest.param(None, [], JobState.GONE, id="deleted"),
        pytest.param(None, [pod()], JobState.GONE, id="deleted, a pod is left"),
        pytest.param(job(), [], JobState.RUNNING, id="no pod yet"),
        pytest.param({"metadata": {"uid": "job"}}, [], JobState.RUNNING, id="no status yet"),
        pytest.param(job(), [RUNNING], JobState.RUNNING, id="a pod runs"),
        pytest.param(job(), [pod()], JobState.SUCCEEDED, id="the pod is ahead of the Job"),
        pytest.param(job(), [pod(uid="other")], JobState.RUNNING, id="the pod of another Job"),
        pytest.param(job(completions=2), [pod()], JobState.RUNNING, id="one of two"),
        pytest.param(job(completions=2), [pod(), pod(seconds=1)], JobState.SUCCEEDED, id="two of two"),
        pytest.param(job("Complete"), [], JobState.SUCCEEDED, id="complete"),
        pytest.param(job("SuccessCriteriaMet"), [RUNNING], JobState.SUCCEEDED, id="success criteria"),
        pytest.param(job(), [pod(code=1)], JobState.RUNNING, id="a failed pod: it may be tried again"),
        pytest.param(job("Failed"), [pod(code=1)], JobState.FAILED, id="failed"),
        pytest.param(job("FailureTarget"), [], JobState.FAILED, id="about to fail"),
        pytest.param(job("Failed"), [pod()], JobState.FAILED, id="failed although a pod succeeded"),
        pytest.param(job("Suspended"), [], JobState.RUNNING, id="suspended"),
    ],
)
def test_the_state_of_a_job(seen: dict[str, Any] | None, pods: list[Pod], state: JobState):
    assert job_result(seen, pods).state is state


def test_a_condition_that_is_false_says_nothing():
    seen = job("Failed")
    seen["status"]["conditions"][0]["status"] = "False"
    assert job_result(seen, []).state is JobState.RUNNING


@pytest.mark.parametrize(
    ("text", "changed", "message"),
    [
        pytest.param("", None, "the Job succeeded", id="nothing"),
        pytest.param(
            '{"changed": true, "message": "pool refreshed"}', True, "the Job succeeded: pool refreshed", id="both"
        ),
        pytest.param('{"changed": false}', False, 'the Job succeeded: {"changed": false}', id="changed alone"),
        pytest.param('{"message": "done"}', None, "the Job succeeded: done", id="message alone"),
        pytest.param('{"changed": "yes", "message": 5}', None, None, id="other types"),
        pytest.param("all\ngood ", None, "the Job succeeded: all good", id="plain text"),
        pytest.param('["changed"]', None, 'the Job succeeded: ["changed"]', id="a list"),
        pytest.param('{"message": "\\ud800\\u001b[31m"}', None, "the Job succeeded: ? [31m", id="no characters"),
        pytest.param("[" * 4000, None, None, id="deep"),
        pytest.param('{"changed": true, "x": "' + "é" * 3000 + '"}', None, None, id="more than 4 KiB"),
        pytest.param("1" * 4096, None, None, id="a huge number"),
    ],
)
def test_the_termination_message_is_read(text: str, changed: bool | None, message: str | None):
    result = job_result(job("Complete"), [pod(text)])
    assert result.changed is changed
    assert message is None or result.message == message


@pytest.mark.parametrize(
    ("seen", "pods", "message"),
    [
        pytest.param(
            job("Failed", reason="BackoffLimitExceeded"),
            [pod("no route", code=1)],
            "the Job failed (BackoffLimitExceeded): no route",
            id="its own words",
        ),
        pytest.param(
            job("Failed"), [pod(code=137)], "the Job failed: container main ended with 137 Error", id="silent"
        ),
        pytest.param(
            job("Failed", reason="DeadlineExceeded"), [], "the Job failed (DeadlineExceeded)", id="its pod is gone"
        ),
        pytest.param(
            job("Failed"),
            [pod("second", code=1, seconds=9), pod("first", code=1)],
            "the Job failed: second",
            id="retry",
        ),
        pytest.param(
            job("Complete"), [pod("worked", seconds=9), pod("failed", code=1)], "the Job succeeded: worked", id="again"
        ),
    ],
)
def test_the_message_tells_of_the_last_end(seen: dict[str, Any], pods: list[Pod], message: str):
    assert job_result(seen, pods).message == message


def test_one_of_many_pods_that_changed_something_is_enough():
    pods = [pod('{"changed": true}'), pod('{"changed": false}', seconds=1)]
    assert job_result(job("Complete"), pods).changed is True


def test_the_words_of_the_container_go_before_those_of_an_init_container_of_the_same_second():
    ends = (Terminated("main", "", 0, NOW, "main"), Terminated("init", "", 0, NOW, "init"))
    seen = Pod(RUNNING.meta, phase="Succeeded", owner=RUNNING.owner, terminated=ends)
    assert job_result(job("Complete"), [seen]).evidence == "main"


@given(
    st.text()
    | st.recursive(st.none() | st.booleans() | st.text(), lambda item: st.dictionaries(st.text(), item)).map(json.dumps)
    | st.fixed_dictionaries({"changed": st.booleans() | st.text(), "message": st.text() | st.integers()}).map(
        json.dumps
    )
)
def test_garbage_never_raises_and_what_is_kept_is_bounded_and_can_be_stored(text: str):
    for seen in (job("Complete"), job("Failed"), job()):
        for code in (0, 1):
            result = job_result(seen, [pod(text, code=code)])
            assert len(result.message) <= 1024
            assert len(result.evidence) <= 2048
            assert result.changed in (True, False, None)
            (result.message + result.evidence).encode()
