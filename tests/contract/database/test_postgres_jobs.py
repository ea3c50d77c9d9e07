"""Actions on a real PostgreSQL server, with the roles and functions that `generate sql` prints."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.contract.database.conftest import open_postgres
from tests.contract.database.job_bench import JobBench, is_alive, psql
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.core.database_session import Claim, SessionState
from ultra_recovery.job_ports import Aim, Role

STALE = {"closeStaleConnections": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
LONG = {"endLongQueries": {"breaker": "orders-db", "runningFor": "1s", "grace": "1s"}}
REFRESH = {"refreshPool": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
RECONNECT = {"reconnectDatabase": {"breaker": "orders-db", "writeCheck": True}}
A_WHILE = 1.2
CLOCK = SystemClock()


@pytest.fixture
async def owner(pg_with_ours: Server) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await open_postgres(pg_with_ours.port, database="orders")
    yield connection
    connection.terminate()


async def test_a_stale_transaction_is_ended_and_the_blocked_writer_goes_on(jobs: JobBench):
    update = "UPDATE public.stock SET left_over = left_over - 1 WHERE id = 1"
    async with jobs.leak(1, update), jobs.client() as writer, jobs.client() as idle:
        blocked = asyncio.ensure_future(writer.execute(update))
        await CLOCK.sleep(A_WHILE)
        answer, code = await jobs.run(STALE)
        await asyncio.wait_for(blocked, 2)
        assert (code, answer.changed) == (0, True)
        assert answer.before.idle_in_transaction == 1
        assert answer.after.idle_in_transaction == 0
        assert [(item.app, item.done) for item in answer.sessions] == [("orders-web", "idle in transaction, ended")]
        assert answer.offenders == {"127.0.0.1": 1}
        assert "left_over" not in answer.to_text()
        assert await is_alive(idle)
        assert await idle.fetchval("SELECT left_over FROM public.stock WHERE id = 1") == 9


@pytest.mark.parametrize(
    ("how", "spec"),
    [
        ({"user": "billing"}, {}),
        ({"database": "postgres"}, {}),
        ({"application": "pg_dump"}, {}),
        ({"application": "orders-migrate"}, {}),
        ({"application": "nightly"}, {"denyApplications": ["night*"]}),
        ({"application": "nightly"}, {"allowApplications": ["orders-*"]}),
    ],
    ids=["another role", "another database", "a backup", "a migration", "denied", "not allowed"],
)
async def test_an_innocent_session_stays(jobs: JobBench, how: dict[str, str], spec: dict[str, Any]):
    async with jobs.leak(1, **how) as (client,):
        await CLOCK.sleep(A_WHILE)
        answer, code = await jobs.run({"closeStaleConnections": {**STALE["closeStaleConnections"], **spec}})
        assert (code, answer.changed) == (0, False)
        assert await is_alive(client)


async def test_one_action_ends_no_more_sessions_than_it_may(jobs: JobBench):
    async with jobs.leak(3) as clients:
        await CLOCK.sleep(A_WHILE)
        request = jobs.request({"closeStaleConnections": {**STALE["closeStaleConnections"], "maxSessions": 2}})
        answer, _ = await jobs.run({**request.action.to_wire()})
        assert len(answer.sessions) == 2
        assert sorted([await is_alive(client) for client in clients]) == [False, False, True]


async def test_the_database_itself_refuses_a_session_that_moved_since_it_was_seen(jobs: JobBench):
    async with jobs.leak(1) as (client,):
        await CLOCK.sleep(A_WHILE)
        work = jobs.work(jobs.request(STALE))
        session = await work.servers.open(work.request.servers[0], Role.RECOVERY, "", 5)
        try:
            assert await session.missing() == ""
            aim = Aim("orders", "orders", SessionState.IDLE_IN_TRANSACTION, 1.0, 5)
            seen = [item.id for item in await session.sessions() if item.user == "orders"]
            await client.execute("SELECT 2")
            assert await session.terminate("moved", seen, aim) == frozenset()
            assert await is_alive(client)
        finally:
            await session.close()


async def test_the_acting_role_can_end_nothing_on_its_own_account(jobs: JobBench):
    async with jobs.leak(1) as (client,), jobs.client("recovery", database="postgres") as recovery:
        pid = client.get_server_pid()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await recovery.execute(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await recovery.execute("UPDATE recovery.allowed SET most = 9999")
        assert await is_alive(client)


async def test_a_role_that_nobody_allowed_is_refused_by_the_database(jobs: JobBench):
    async with jobs.leak(1, user="billing") as (client,):
        await CLOCK.sleep(A_WHILE)
        answer, code = await jobs.run(STALE, appUser="billing")
        assert (code, answer.changed) == (1, False)
        assert "recovery.allowed" in answer.message
        assert await is_alive(client)


async def test_an_action_that_had_begun_is_not_carried_out_again(jobs: JobBench):
    async with jobs.leak(1) as (client,):
        await CLOCK.sleep(A_WHILE)
        request = jobs.request(STALE)
        work = jobs.work(request)
        session = await work.servers.open(request.servers[0], Role.RECOVERY, "", 5)
        assert [await session.claim(request.id), await session.claim(request.id)] == [Claim.FIRST, Claim.AGAIN]
        await session.close()
        answer, code = await jobs.run(request.action.to_wire(), id=request.id)
        assert (code, answer.changed) == (0, True)
        assert "earlier pod" in answer.message
        assert await is_alive(client)


async def test_a_second_job_on_the_same_database_does_nothing(jobs: JobBench):
    work = jobs.work(jobs.request(STALE))
    session = await work.servers.open(work.request.servers[0], Role.RECOVERY, "", 5)
    async with jobs.leak(1) as (client,):
        await CLOCK.sleep(A_WHILE)
        assert await session.try_lock("shop/orders-db")
        answer, code = await jobs.run(STALE)
        assert (code, answer.changed) == (0, False)
        assert "another Job" in answer.message
        assert await is_alive(client)
    await session.close()


async def test_a_long_statement_is_cancelled_and_its_session_stays(jobs: JobBench):
    async with jobs.client() as client:
        running = asyncio.ensure_future(client.execute("SELECT pg_sleep(60), 'secret'"))
        await CLOCK.sleep(A_WHILE)
        answer, code = await jobs.run(LONG)
        with pytest.raises(asyncpg.QueryCanceledError):
            await running
        assert (code, answer.changed) == (0, True)
        assert [item.done for item in answer.sessions] == ["cancelled"]
        assert len(answer.sessions[0].query) == 16
        assert "secret" not in answer.to_text()
        assert "statement_timeout" in answer.message
        assert await is_alive(client)


async def test_whoever_others_wait_for_is_cancelled_first_and_the_waiting_are_left_alone(jobs: JobBench):
    update = "UPDATE public.stock SET left_over = left_over WHERE id = 2"
    async with jobs.leak(1, update) as (holder,), jobs.client() as waiter:
        sleeping = asyncio.ensure_future(holder.execute("SELECT pg_sleep(60)"))
        waiting = asyncio.ensure_future(waiter.execute(update))
        await CLOCK.sleep(A_WHILE)
        answer, _ = await jobs.run(LONG)
        with pytest.raises(asyncpg.QueryCanceledError):
            await sleeping
        assert len(answer.sessions) == 1
        await holder.execute("ROLLBACK")
        await asyncio.wait_for(waiting, 2)


async def test_upkeep_is_spared_unless_its_application_is_allowed(jobs: JobBench, owner: asyncpg.Connection[Any]):
    await owner.execute(
        "CREATE OR REPLACE FUNCTION public.slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(30); RETURN i; END $$"
    )
    async with jobs.client() as client:
        running = asyncio.ensure_future(client.execute("CREATE INDEX lazy ON public.stock (public.slow(id))"))
        await CLOCK.sleep(A_WHILE)
        answer, _ = await jobs.run(LONG)
        assert not answer.changed
        assert any("CREATE INDEX" in measure for measure in answer.measures)
        answer, _ = await jobs.run({"endLongQueries": {**LONG["endLongQueries"], "allowApplications": ["orders-*"]}})
        assert answer.changed
        with pytest.raises(asyncpg.QueryCanceledError):
            await running


async def test_idle_sessions_are_ended_one_per_second(jobs: JobBench):
    async with jobs.client() as one, jobs.client() as other:
        await CLOCK.sleep(A_WHILE)
        began = asyncio.get_running_loop().time()
        answer, _ = await jobs.run({"refreshPool": {"breaker": "orders-db", "idleFor": "1s"}})
        assert asyncio.get_running_loop().time() - began >= 1
        assert answer.changed
        assert [await is_alive(one), await is_alive(other)] == [False, False]


async def test_a_refresh_that_finds_nothing_changes_nothing(jobs: JobBench):
    answer, code = await jobs.run(REFRESH)
    assert (code, answer.changed) == (0, False)
    assert "server 0/8" in answer.message


async def test_a_database_that_is_there_is_proved_by_a_write(jobs: JobBench, owner: asyncpg.Connection[Any]):
    answer, code = await jobs.run(RECONNECT)
    assert (code, answer.changed) == (0, False)
    assert "took a write" in answer.message
    assert await owner.fetchval("SELECT count(*) FROM recovery.heartbeat") == 1


async def test_a_wrong_password_is_tried_once(jobs: JobBench):
    (jobs.folder / "probe" / "password").write_text("wrong")
    answer, code = await jobs.run(RECONNECT)
    assert (code, answer.changed) == (1, False)
    assert answer.measures == ["attempt 1: Credentials"]


async def test_a_read_only_server_is_reported_and_nobody_is_ended(jobs: JobBench, owner: asyncpg.Connection[Any]):
    await owner.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await owner.execute("SELECT pg_reload_conf()")
    try:
        async with jobs.leak(1) as (client,):
            await CLOCK.sleep(A_WHILE)
            answer, code = await jobs.run(STALE)
            assert (code, answer.changed) == (1, False)
            assert "wrong node" in answer.message
            assert await is_alive(client)
    finally:
        await owner.execute("SET default_transaction_read_only = off")
        await owner.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await owner.execute("SELECT pg_reload_conf()")


async def test_without_our_functions_rights_of_its_own_do_and_without_those_the_command_is_named(jobs: JobBench):
    psql(jobs.server, "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA recovery FROM recovery;\n")
    try:
        answer, code = await jobs.run(STALE)
        assert (code, answer.changed) == (1, False)
        assert "ultra-recovery generate sql --engine postgres --database orders --app-user orders" in answer.message
        psql(jobs.server, "GRANT pg_signal_backend TO recovery;\n")
        async with jobs.leak(1) as (client,):
            await CLOCK.sleep(A_WHILE)
            answer, code = await jobs.run(STALE)
            assert (code, answer.changed) == (0, True)
            assert not await is_alive(client)
    finally:
        psql(
            jobs.server,
            "REVOKE pg_signal_backend FROM recovery; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA recovery TO recovery;\n",
        )


async def test_a_frozen_server_is_reported_within_the_deadline(jobs: JobBench):
    jobs.server.signal(signal.SIGSTOP)
    try:
        answer, code = await jobs.run(RECONNECT, deadlineSeconds=9)
        assert (code, answer.changed) == (1, False)
        answer, code = await jobs.run(STALE)
        assert (code, answer.changed) == (1, False)
        assert "frozen" in answer.message
    finally:
        jobs.server.signal(signal.SIGCONT)


async def test_a_server_that_freezes_under_a_session_does_not_hold_the_job(
    jobs: JobBench, owner: asyncpg.Connection[Any]
):
    work = jobs.work(jobs.request(STALE))
    session = await work.servers.open(work.request.servers[0], Role.RECOVERY, "", 5)
    pid = await owner.fetchval("SELECT pid FROM pg_stat_activity WHERE usename = 'recovery'")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseFault, match="no answer"):
            await session.sessions()
        await asyncio.wait_for(session.close(), 1)
    finally:
        os.kill(pid, signal.SIGCONT)
