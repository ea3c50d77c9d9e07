"""What a probe sees of PgBouncer, beside a real PostgreSQL server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psycopg
import pytest

from tests.contract.database.conftest import Bench, open_postgres
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome

POOLER = {"serviceRef": {"name": "pooler", "port": 5432}, "adminSecretRef": {"name": "console"}}


@pytest.fixture(scope="module", autouse=True)
def orders(pg: Server) -> None:
    async def prepare() -> None:
        connection = await open_postgres(pg.port)
        await connection.execute("CREATE ROLE orders LOGIN PASSWORD 'orders'")
        await connection.execute("CREATE DATABASE orders OWNER orders")
        await connection.close()

    asyncio.run(prepare())


@pytest.fixture
def ready(pg: Server, bouncer: Server, bench: Bench) -> Bench:
    bench.publish(pg.port)
    bench.publish(bouncer.port, "pooler")
    bench.login("owner", "owner")
    bench.login("looker", "looker", "console")
    return bench


@pytest.fixture
async def clients(bouncer: Server) -> AsyncIterator[list[asyncpg.Connection[Any]]]:
    """Three clients, each in a transaction: all server connections of the pool are taken."""
    found = []
    for _ in range(3):
        client = await asyncpg.connect(
            host="127.0.0.1", port=bouncer.port, user="orders", password="orders", database="orders", ssl="disable"
        )
        await client.execute("BEGIN; SELECT 1")
        found.append(client)
    yield found
    for client in found:
        await client.close(timeout=5)


async def test_every_pool_of_the_database_is_counted(ready: Bench, clients: list[asyncpg.Connection[Any]]):
    figures = (await ready.ask_postgres(pooler=POOLER)).figures
    assert figures is not None
    assert figures.pooler is not None
    assert (figures.pooler.replicas, figures.pooler.unreachable) == (1, 0)
    assert (figures.pooler.active, figures.pooler.idle, figures.pooler.pool_size) == (3, 0, 3)
    assert (figures.pooler.login_retry_seconds, figures.pooler.paused, figures.waiting) == (15, False, 0)


async def test_clients_that_wait_are_counted(bouncer: Server, ready: Bench, clients: list[asyncpg.Connection[Any]]):
    waiting = asyncio.ensure_future(
        asyncpg.connect(
            host="127.0.0.1", port=bouncer.port, user="orders", password="orders", database="orders", ssl="disable"
        )
    )
    await SystemClock().sleep(0.3)
    late = None
    if waiting.done():
        late = asyncio.ensure_future(waiting.result().execute("SELECT 1"))
        await SystemClock().sleep(1.2)
    figures = (await ready.ask_postgres(pooler=POOLER)).figures
    assert figures is not None
    assert figures.waiting == 1
    await clients[0].execute("COMMIT")
    if late is not None:
        await late
    await (await waiting).close(timeout=5)


async def test_a_paused_database_shows(bouncer: Server, ready: Bench):
    console = await psycopg_console(bouncer)
    try:
        await console.execute(b"PAUSE orders")
        figures = (await ready.ask_postgres(pooler=POOLER)).figures
    finally:
        await console.execute(b"RESUME orders")
        await console.close()
    assert figures is not None
    assert figures.pooler is not None
    assert figures.pooler.paused


async def test_figures_of_the_pooler_are_there_when_the_server_is_not(pg: Server, ready: Bench):
    pg.signal(signal.SIGSTOP)
    try:
        result = await ready.ask_postgres(1.0, pooler=POOLER)
    finally:
        pg.signal(signal.SIGCONT)
    assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)
    assert result.figures is not None
    assert result.figures.blind
    assert result.figures.pooler is not None
    assert result.figures.pooler.replicas == 1


async def test_a_frozen_replica_is_unreachable_and_holds_back_nothing_but_itself(bouncer: Server, ready: Bench):
    bouncer.signal(signal.SIGSTOP)
    try:
        result = await ready.ask_postgres(1.0, pooler=POOLER)
    finally:
        bouncer.signal(signal.SIGCONT)
    assert result.outcome is Outcome.SUCCESS
    assert result.figures is not None
    assert result.figures.pooler is not None
    assert (result.figures.pooler.replicas, result.figures.pooler.unreachable) == (0, 1)


async def test_a_console_that_refuses_its_user_is_not_asked_again_at_once(bouncer: Server, ready: Bench):
    ready.login("looker", "wrong", "console")
    for _ in range(3):
        result = await ready.ask_postgres(pooler=POOLER)
        assert result.outcome is Outcome.SUCCESS
        assert result.figures is not None
        assert result.figures.pooler is not None
        assert result.figures.pooler.unreachable == 1
    assert ready.secrets.forgotten == [("shop", "console")]
    ready.login("looker", "looker", "console")
    figures = (await ready.ask_postgres(pooler=POOLER)).figures
    assert figures is not None
    assert figures.pooler is not None
    assert figures.pooler.replicas == 1


async def test_a_missing_secret_of_the_console_is_the_users_mistake(ready: Bench):
    del ready.secrets.data["shop", "console"]
    with pytest.raises(SpecError, match="Secret console does not exist"):
        await ready.ask_postgres(pooler=POOLER)


async def psycopg_console(bouncer: Server) -> psycopg.AsyncConnection[Any]:
    parameters = f"host=127.0.0.1 port={bouncer.port} user=console password=console dbname=pgbouncer"
    return await psycopg.AsyncConnection.connect(parameters, autocommit=True)
