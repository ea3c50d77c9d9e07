"""Actions on a real PgBouncer in front of a real PostgreSQL server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.contract.database.job_bench import JobBench, is_alive
from tests.contract.database.servers import Server, pgbouncer
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.core.database_request import DatabaseAnswer

CLOCK = SystemClock()
A_WHILE = 1.2
RAISE = {"raisePoolSize": {"breaker": "orders-db"}}
RECONNECT = {"reconnectDatabase": {"breaker": "orders-db"}}
REFRESH = {"refreshPool": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
USERS = {"orders": "orders", "console": "console", "looker": "looker", "recovery_probe": "recovery_probe"}


@pytest.fixture
def pooler(pg_with_ours: Server) -> Iterator[Server]:
    """PgBouncer as every test wants to find it."""
    with pgbouncer(pg_with_ours.port, USERS) as server:
        yield server


@pytest.fixture
def pooled(pg_with_ours: Server, pooler: Server, tmp_path: Path) -> JobBench:
    return JobBench(pg_with_ours, tmp_path, [{"host": "127.0.0.1", "port": pooler.port, "pod": "pgbouncer-1"}])


@pytest.fixture
async def console(pooler: Server) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    connection = await psycopg.AsyncConnection.connect(
        f"host=127.0.0.1 port={pooler.port} user=console password=console dbname=pgbouncer",
        autocommit=True,
        row_factory=dict_row,
    )
    yield connection
    await connection.close()


async def setting(console: psycopg.AsyncConnection[dict[str, Any]], name: str) -> str:
    rows = await (await console.execute("SHOW CONFIG")).fetchall()
    return next(str(row["value"]) for row in rows if row["key"] == name)


async def restart(pooled: JobBench, pooler: Server) -> None:
    """Let the server be away while clients log in through the pooler, so that it remembers the failure."""
    pooled.server.stop()
    for user in ("orders", "recovery_probe"):
        with contextlib.suppress(asyncpg.PostgresError, OSError, TimeoutError):
            async with asyncio.timeout(1), pooled.client(user, port=pooler.port):
                pass
    pooled.server.start()
    while True:
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            async with pooled.client("owner"):
                return


async def test_a_pooler_that_remembers_a_failed_login_is_mended_and_its_setting_is_back(
    pooled: JobBench, pooler: Server, console: psycopg.AsyncConnection[dict[str, Any]]
):
    await restart(pooled, pooler)
    began = CLOCK.boottime()
    answer, code = await pooled.run(RECONNECT, sizeBefore=15, sizeAfter=1)
    assert (code, answer.changed) == (0, True), answer
    assert CLOCK.boottime() - began < 8
    assert await setting(console, "server_login_retry") == "15"
    async with asyncio.timeout(1), pooled.client(port=pooler.port) as client:
        assert await is_alive(client)


async def test_somebody_elses_login_retry_is_left_alone(
    pooled: JobBench, pooler: Server, console: psycopg.AsyncConnection[dict[str, Any]]
):
    await restart(pooled, pooler)
    await console.execute("SET server_login_retry = 7")
    answer, _ = await pooled.run(RECONNECT, sizeBefore=15, sizeAfter=1)
    assert not answer.changed
    assert await setting(console, "server_login_retry") == "7"


async def test_a_paused_pooler_is_reported_and_stays_paused(
    pooled: JobBench, console: psycopg.AsyncConnection[dict[str, Any]]
):
    await console.execute("PAUSE orders")
    answer, code = await pooled.run(RECONNECT, sizeBefore=15, sizeAfter=1)
    assert (code, answer.changed) == (1, False)
    assert "paused" in answer.message
    assert (await (await console.execute("SHOW DATABASES")).fetchall())[0]["paused"] == 1


async def test_leaked_transactions_behind_the_pooler_are_ended_and_their_clients_named(
    pooled: JobBench, pooler: Server
):
    async with pooled.leak(3, port=pooler.port), pooled.client(port=pooler.port) as waiter:
        waiting = asyncio.ensure_future(waiter.fetchval("SELECT 1"))
        await CLOCK.sleep(A_WHILE)
        answer, code = await pooled.run(REFRESH)
        assert (code, answer.changed) == (0, True)
        assert await asyncio.wait_for(waiting, 3) == 1
        assert answer.offenders == {"127.0.0.1": 3}
        assert "there is room again" in answer.message


async def test_the_pooler_renews_its_connections(pooled: JobBench, pooler: Server):
    async with pooled.client(port=pooler.port) as client:
        before = await client.fetchval("SELECT pg_backend_pid()")
        answer, code = await pooled.run(REFRESH)
        assert (code, answer.changed) == (0, True)
        assert "pooler pgbouncer-1: RECONNECT" in answer.measures
        assert await client.fetchval("SELECT pg_backend_pid()") != before


@pytest.fixture
def raised() -> dict[str, Any]:
    return {"sizeBefore": 3, "sizeAfter": 4, "room": {"declared": 4}}


async def run_part(pooled: JobBench, part: str, raised: dict[str, Any], **more: Any) -> tuple[DatabaseAnswer, int]:
    return await pooled.run(RAISE, part=part, **raised, **more)


async def test_the_pool_is_raised_within_the_budget_and_taken_back(
    pooled: JobBench, pooler: Server, console: psycopg.AsyncConnection[dict[str, Any]], raised: dict[str, Any]
):
    async with pooled.client(port=pooler.port) as client:
        await client.execute("SELECT 1")
        answer, code = await run_part(pooled, "Do", raised)
        assert (code, answer.changed) == (0, True), answer
        assert await setting(console, "default_pool_size") == "4"
        answer, code = await run_part(pooled, "Undo", raised)
        assert (code, answer.changed) == (0, True)
        assert await setting(console, "default_pool_size") == "3"
        answer, code = await run_part(pooled, "Undo", raised)
        assert (code, answer.changed) == (0, False)


async def test_a_pool_that_the_server_cannot_bear_is_not_raised(
    pooled: JobBench, pooler: Server, console: psycopg.AsyncConnection[dict[str, Any]]
):
    async with pooled.client(port=pooler.port) as client:
        await client.execute("SELECT 1")
        answer, code = await run_part(pooled, "Do", {"sizeBefore": 3, "sizeAfter": 6})
        assert (code, answer.changed) == (0, False)
        assert "no room" in answer.message
        assert await setting(console, "default_pool_size") == "3"


async def test_an_own_pool_size_of_the_database_is_left_alone(
    pooled: JobBench, pooler: Server, console: psycopg.AsyncConnection[dict[str, Any]], raised: dict[str, Any]
):
    ini = pooler.folder / "ini"
    ini.write_text(ini.read_text().replace("dbname=orders", "dbname=orders pool_size=3"))
    await console.execute("RELOAD")
    answer, code = await run_part(pooled, "Do", raised)
    assert (code, answer.changed) == (0, False)
    assert "pool_size of its own" in answer.message
    assert await setting(console, "default_pool_size") == "3"


async def test_the_old_size_comes_back_by_itself(
    pooled: JobBench, console: psycopg.AsyncConnection[dict[str, Any]], raised: dict[str, Any]
):
    await console.execute("SET default_pool_size = 4")
    answer, code = await run_part(pooled, "RestoreLater", raised, restoreAfterSeconds=1)
    assert (code, answer.changed) == (0, True)
    assert await setting(console, "default_pool_size") == "3"


async def test_a_user_who_may_only_look_is_told_so(pooled: JobBench, raised: dict[str, Any]):
    for name in ("username", "password"):
        (pooled.folder / "pooler" / name).write_text("looker")
    answer, code = await run_part(pooled, "Do", raised)
    assert (code, answer.changed) == (0, False)
    assert "admin_users" in answer.message
