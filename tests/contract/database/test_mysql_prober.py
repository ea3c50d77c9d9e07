"""The MySQL prober against a real MariaDB server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pymysql
import pytest

from tests.contract.database.conftest import Bench, open_mysql
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome

SETUP = (
    "CREATE DATABASE orders",
    "CREATE USER probe IDENTIFIED BY 'probe'",
    "GRANT PROCESS ON *.* TO probe",
    "GRANT SELECT ON orders.* TO probe",
    "CREATE USER blind IDENTIFIED BY 'blind'",
    "GRANT SELECT ON orders.* TO blind",
    "CREATE USER outside IDENTIFIED BY 'outside'",
    "CREATE USER orders IDENTIFIED BY 'orders'",
    "GRANT ALL ON orders.* TO orders",
    "CREATE TABLE orders.stock (id INT PRIMARY KEY, amount INT) ENGINE=InnoDB",
    "INSERT INTO orders.stock VALUES (1, 10)",
)


@pytest.fixture(scope="module", autouse=True)
def orders(maria: Server) -> None:
    with contextlib.closing(open_mysql(maria.port)) as connection, connection.cursor() as cursor:
        for statement in SETUP:
            cursor.execute(statement)


@pytest.fixture
def ready(maria: Server, bench: Bench) -> Bench:
    bench.publish(maria.port)
    bench.login("probe", "probe")
    return bench


@contextmanager
def sessions(maria: Server, count: int) -> Iterator[list[pymysql.Connection[Any]]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(contextlib.closing(open_mysql(maria.port, "orders", "orders"))) for _ in range(count)
        ]


def run(connection: pymysql.Connection[Any], statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def setting(maria: Server, statement: str, undo: str) -> Iterator[None]:
    with contextlib.closing(open_mysql(maria.port)) as owner:
        run(owner, statement)
    try:
        yield
    finally:
        with contextlib.closing(open_mysql(maria.port)) as owner:
            run(owner, undo)


async def test_a_login_and_queries_are_a_success_with_the_figures_of_the_server(maria: Server, ready: Bench):
    with sessions(maria, 2):
        result = await ready.ask_mysql(appUser="orders")
    assert (result.outcome, result.reason) == (Outcome.SUCCESS, Reason.PROBE_SUCCEEDED)
    figures = result.figures
    assert figures is not None
    assert (figures.limit, figures.used, figures.free, figures.blind) == (10, 2, 8, False)


async def test_transactions_left_open_and_those_they_block_are_counted(maria: Server, ready: Bench):
    with sessions(maria, 2) as (holder, blocked):
        run(holder, "BEGIN")
        run(holder, "UPDATE stock SET amount = amount - 1 WHERE id = 1")
        waiting = threading.Thread(target=run, args=(blocked, "UPDATE stock SET amount = 0 WHERE id = 1"))
        waiting.start()
        await SystemClock().sleep(1.3)
        figures = (await ready.ask_mysql(appUser="orders")).figures
        assert figures is not None
        assert (figures.idle_in_transaction, figures.blocked) == (1, 1)
        assert min(figures.oldest_idle_seconds, figures.longest_transaction_seconds, figures.longest_query_seconds) >= 1
        others = (await ready.ask_mysql(appUser="somebody")).figures
        assert others is not None
        assert (others.idle_in_transaction, others.blocked, others.longest_query_seconds) == (0, 0, 0)
        run(holder, "ROLLBACK")
        waiting.join(10)


async def test_a_full_server_is_exhausted(maria: Server, ready: Bench):
    with sessions(maria, 10):
        result = await ready.ask_mysql()
    assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.EXHAUSTED)


async def test_the_limit_of_the_user_counts(maria: Server, ready: Bench):
    change, undo = "SET GLOBAL max_user_connections = 3", "SET GLOBAL max_user_connections = 100"
    with setting(maria, change, undo), sessions(maria, 2):
        figures = (await ready.ask_mysql(appUser="orders")).figures
    assert figures is not None
    assert (figures.limit, figures.free) == (10, 1)


async def test_a_role_that_may_not_see_other_sessions_says_so(maria: Server, ready: Bench):
    ready.login("blind", "blind")
    with sessions(maria, 2):
        result = await ready.ask_mysql()
    assert result.outcome is Outcome.SUCCESS
    assert result.figures is not None
    assert (result.figures.blind, result.figures.used) == (True, 2)


@pytest.mark.parametrize(
    ("user", "password", "database", "message"),
    [
        pytest.param("probe", "wrong", "orders", "user or its password", id="password"),
        pytest.param("nobody", "probe", "orders", "user or its password", id="unknown user"),
        pytest.param("owner", "owner", "nothing", "database does not exist", id="database"),
        pytest.param("outside", "outside", "orders", "may not use the database", id="rights"),
        pytest.param("probe", "pässword", "orders", "user or its password", id="exotic password"),
    ],
)
async def test_what_is_refused_never_moves_a_breaker_and_is_not_asked_again_at_once(
    maria: Server, ready: Bench, user: str, password: str, database: str, message: str
):
    ready.login(user, password)
    first = await ready.ask_mysql(database=database)
    assert (first.outcome, first.reason, first.permanent) == (Outcome.ERROR, Reason.CREDENTIALS_REFUSED, True)
    assert message in first.message
    maria.signal(signal.SIGSTOP)
    try:
        again = await ready.ask_mysql(1.0, database=database)
    finally:
        maria.signal(signal.SIGCONT)
    assert again.reason is Reason.CREDENTIALS_REFUSED
    ready.login("probe", "probe")
    assert (await ready.ask_mysql()).outcome is Outcome.SUCCESS


async def test_a_server_that_takes_no_writes_is_the_wrong_node(maria: Server, ready: Bench):
    with setting(maria, "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"):
        strict, easy = await ready.ask_mysql(), await ready.ask_mysql(writable=False)
    assert (strict.outcome, strict.reason) == (Outcome.FAILURE, Reason.WRONG_NODE)
    assert easy.outcome is Outcome.SUCCESS


@pytest.mark.parametrize("mode", ["Disable", "Prefer", "Require"])
async def test_a_login_works_in_every_mode_of_encryption(ready: Bench, mode: str):
    assert (await ready.ask_mysql(tls={"mode": mode})).outcome is Outcome.SUCCESS


async def test_a_certificate_is_checked_by_the_name_although_the_address_is_connected_to(maria: Server, ready: Bench):
    ready.login("probe", "probe", **{"ca.crt": (maria.folder / "server.crt").read_text()})
    assert (await ready.ask_mysql(tls={"mode": "VerifyFull"})).outcome is Outcome.SUCCESS
    wrong = await ready.ask_mysql(tls={"mode": "VerifyFull", "serverName": "other.example.com"})
    assert (wrong.outcome, wrong.reason) == (Outcome.ERROR, Reason.TARGET_INVALID)
    ready.login("probe", "probe", **{"ca.crt": "nonsense"})
    with pytest.raises(SpecError, match="no certificate"):
        await ready.ask_mysql(tls={"mode": "VerifyFull"})


@pytest.mark.parametrize("mode", ["Disable", "Prefer"])
async def test_a_frozen_server_is_a_failure_at_the_deadline_and_keeps_no_thread(maria: Server, ready: Bench, mode: str):
    maria.signal(signal.SIGSTOP)
    try:
        for _ in range(6):
            result = await ready.ask_mysql(0.3, tls={"mode": mode})
            assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)
            assert "no answer within 0.3 s" in result.message
        # Six probes that stick would be six threads; one that ends a moment late makes the pool start another, too.
        assert sum(thread.name.startswith("mysql-probe") for thread in threading.enumerate()) < 5
    finally:
        maria.signal(signal.SIGCONT)
    assert (await ready.ask_mysql()).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 4096, b"\xff" * 4096])
async def test_a_server_that_speaks_something_else_is_a_failure(bench: Bench, answer: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bench.publish(server.sockets[0].getsockname()[1])
    bench.login("probe", "probe")
    result = await bench.ask_mysql(2.0)
    server.close()
    assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)
