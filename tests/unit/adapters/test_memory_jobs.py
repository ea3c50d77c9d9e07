"""The Job controller in memory runs Jobs as a cluster does, and Jobs take part in the twin's faults."""

from __future__ import annotations

import pytest

from ultra_recovery.adapters.memory import (
    CrashError,
    FakeClock,
    JobController,
    JobPlan,
    MemoryApi,
    Moment,
    add_cron_job,
)
from ultra_recovery.core.errors import Unavailable
from ultra_recovery.core.job_document import JobResult, JobState, job_document, job_result
from ultra_recovery.core.objects import Kind, Pod

pytestmark = pytest.mark.looptime


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi(FakeClock())


@pytest.fixture
def controller(api: MemoryApi) -> JobController:
    add_cron_job(api.store, "shop", "repair")
    return JobController(api.store)


async def start(api: MemoryApi, name: str = "one", deadline: int = 60) -> None:
    found = await api.read_cron_job("shop", "repair")
    assert found is not None
    await api.create_job("shop", job_document(found, name=name, labels={}, environment={}, deadline_seconds=deadline))


async def result(api: MemoryApi, name: str = "one") -> JobResult:
    pods = [item for item in api.select(Kind.POD, "shop") if isinstance(item, Pod)]
    return job_result(await api.read_job("shop", name), pods)


async def test_a_job_runs_its_pod_and_ends_two_seconds_after_it(api: MemoryApi, controller: JobController):
    controller.usual = JobPlan(after=3, message='{"changed": true, "message": "refreshed"}')
    await start(api)
    assert (await result(api)).state is JobState.RUNNING
    (seen,) = api.select(Kind.POD, "shop")
    assert seen.meta.labels["batch.kubernetes.io/job-name"] == "one"
    await api.store.clock.sleep(3.1)
    assert await result(api) == JobResult(
        JobState.SUCCEEDED, "the Job succeeded: refreshed", True, '{"changed": true, "message": "refreshed"}'
    )
    assert "status" not in (await api.read_job("shop", "one") or {})
    await api.store.clock.sleep(2)
    assert (await api.read_job("shop", "one") or {})["status"]["conditions"][0]["type"] == "Complete"


async def test_a_job_fails_by_the_plan_of_its_cron_job(api: MemoryApi, controller: JobController):
    controller.plans["repair"] = JobPlan(succeeds=False, message="no route")
    await start(api)
    await api.store.clock.sleep(5)
    found = await result(api)
    assert (found.state, found.message) == (JobState.FAILED, "the Job failed (BackoffLimitExceeded): no route")


async def test_a_job_that_never_ends_is_ended_at_its_deadline(api: MemoryApi, controller: JobController):
    controller.usual = JobPlan(after=None)
    await start(api, deadline=30)
    await api.store.clock.sleep(29)
    assert (await result(api)).state is JobState.RUNNING
    await api.store.clock.sleep(2)
    assert (await result(api)).message == "the Job failed (DeadlineExceeded)"
    assert api.select(Kind.POD, "shop") == []


async def test_a_deleted_job_is_gone_and_its_end_never_comes(api: MemoryApi, controller: JobController):
    await start(api)
    controller.delete("shop", "one")
    await api.store.clock.sleep(10)
    assert (await result(api)).state is JobState.GONE
    assert api.select(Kind.POD, "shop") == []


@pytest.mark.parametrize(
    ("moment", "created"),
    [pytest.param(Moment.BEFORE, [], id="request lost"), pytest.param(Moment.AFTER, ["one"], id="answer lost")],
)
async def test_a_lost_request_creates_no_job_and_a_lost_answer_does(
    api: MemoryApi, controller: JobController, moment: Moment, created: list[str]
):
    api.faults.fail_at(1, moment)
    with pytest.raises(Unavailable):
        await start(api)
    assert controller.created == created


async def test_a_crash_at_the_creation_leaves_the_job_to_the_next_process(api: MemoryApi, controller: JobController):
    api.faults.crash_at(1, Moment.AFTER)
    with pytest.raises(CrashError):
        await start(api)
    with pytest.raises(CrashError):
        await api.read_job("shop", "one")
    other = MemoryApi(FakeClock(), api.store)
    await api.store.clock.sleep(5)
    assert (await result(other)).state is JobState.SUCCEEDED


async def test_requests_for_jobs_take_time_and_are_recorded(api: MemoryApi, controller: JobController):
    api.latency = 0.5
    await start(api)
    assert api.store.clock.boottime() == pytest.approx(1.0)
    assert [(item.verb, item.kind, item.mutating) for item in api.requests] == [
        ("get", "CronJob", False),
        ("create", "Job", True),
    ]
