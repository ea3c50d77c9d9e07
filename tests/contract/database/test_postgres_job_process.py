"""A database Job as its pod runs it: a process with mounted credentials, which may be stopped or killed."""

from __future__ import annotations

import signal

import pytest

from tests.contract.database.job_bench import JobBench, is_alive
from ultra_recovery.adapters.clock import SystemClock

STALE = {"closeStaleConnections": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
A_WHILE = 1.2
CLOCK = SystemClock()


async def test_a_job_as_a_process_answers_in_its_termination_message(jobs: JobBench):
    async with jobs.leak(1) as (client,):
        await CLOCK.sleep(A_WHILE)
        process = await jobs.start(jobs.request(STALE))
        _, log = await process.communicate()
        assert process.returncode == 0, log.decode()
        assert jobs.answer()["changed"] is True
        assert not await is_alive(client)


async def test_a_job_that_is_told_to_stop_answers(jobs: JobBench):
    async with jobs.client() as one, jobs.client() as other, jobs.client() as third:
        await CLOCK.sleep(A_WHILE)
        process = await jobs.start(jobs.request({"refreshPool": {"breaker": "orders-db", "idleFor": "1s"}}))
        while not any(client.is_closed() for client in (one, other, third)):
            await CLOCK.sleep(0.05)
            assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        _, log = await process.communicate()
        assert process.returncode == 1, log.decode()
        assert jobs.answer()["changed"] is True
        assert "told to stop" in jobs.answer()["message"]


@pytest.mark.parametrize("after", [0.2, 0.5, 0.8, 1.0, 1.2, 1.5], ids=lambda value: f"after {value} s")
async def test_a_job_killed_at_any_moment_has_at_most_one_effect(jobs: JobBench, after: float):
    request = jobs.request({"closeStaleConnections": {**STALE["closeStaleConnections"], "maxSessions": 1}})
    async with jobs.leak(2) as clients:
        await CLOCK.sleep(A_WHILE)
        first = await jobs.start(request)
        await CLOCK.sleep(after)
        if first.returncode is None:
            first.kill()
        await first.communicate()
        second = await jobs.start(request)
        await second.communicate()
        assert second.returncode == 0
        assert sum([not await is_alive(client) for client in clients]) <= 1
