"""What a MySQL Job does to a full, read-only, frozen or badly set up server; on a real MariaDB."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import pymysql
import pytest

from tests.contract.database.mysql_stage import Stage, ask, install, stage
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Part
from ultra_recovery.job_ports import Role

STALE = {"closeStaleConnections": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
CLOCK = SystemClock()


@pytest.fixture
def here(maria: Server) -> Iterator[Stage]:
    with stage(maria) as open_stage:
        yield open_stage


async def test_a_full_server_lets_the_acting_role_in_once(here: Stage):
    leaked: list[object] = []
    with contextlib.suppress(pymysql.OperationalError):
        leaked.extend(here.leak(row) for row in range(1, 12))
    assert len(leaked) >= 9
    await CLOCK.sleep(2.1)
    with pytest.raises(DatabaseFault) as full:
        await here.session(Role.PROBE, "orders")
    assert full.value.kind is FaultKind.EXHAUSTED
    answer, code = await here.act(STALE)
    assert (code, len(answer.sessions)) == (0, len(leaked))
    assert answer.before is not None
    assert answer.before.free == 0
    assert here.app() is not None


async def test_the_limit_is_raised_and_restored_only_while_it_is_ours(here: Stage):
    raising = {"raisePoolSize": {"breaker": "orders-db"}}
    sizes = {"size_before": 10, "size_after": 15}
    answer, code = await here.act(raising, "up", **sizes)
    assert (code, answer.changed) == (0, True), answer
    answer, code = await here.act(raising, "up-undo", part=Part.UNDO, **sizes)
    assert (code, answer.changed) == (0, True), answer
    owner = here.owner()
    assert ask(owner, "SELECT @@GLOBAL.max_connections n") == [{"n": 10}]
    ask(owner, "SET GLOBAL max_connections = 12")
    for part in (Part.DO, Part.UNDO):
        answer, _ = await here.act(raising, f"late-{part}", part=part, **sizes)
        assert not answer.changed
    assert ask(owner, "SELECT @@GLOBAL.max_connections n") == [{"n": 12}]


async def test_the_limit_is_not_raised_for_somebody_who_opens_more_than_was_declared(here: Stage):
    raising = {"raisePoolSize": {"breaker": "orders-db"}}
    answer, code = await here.act(raising, size_before=10, size_after=15, room={"declared": 6})
    assert (code, answer.changed) == (0, False)
    assert "more than was declared" in answer.message


async def test_the_limit_is_not_raised_beyond_what_memory_bears(here: Stage):
    answer, code = await here.act(
        {"raisePoolSize": {"breaker": "orders-db", "atMost": 5000}}, size_before=10, size_after=5000,
        room={"declared": 9000},
    )  # fmt: skip
    assert (code, answer.changed) == (1, False)
    assert "MiB" in answer.message


async def test_a_server_is_reached_and_proved_by_a_write(here: Stage):
    answer, code = await here.act({"reconnectDatabase": {"breaker": "orders-db", "writeCheck": True}})
    assert (code, answer.changed) == (0, False), answer
    assert "it took a write" in answer.message


async def test_a_read_only_server_is_the_wrong_node_and_nobody_is_ended(here: Stage):
    owner, leaked = here.owner(), here.leak()
    ask(leaked, "COMMIT")
    ask(owner, "SET GLOBAL read_only = 1")
    reconnect = {"reconnectDatabase": {"breaker": "orders-db"}}
    try:
        for action in (STALE, reconnect):
            answer, code = await here.act(action, reconnect={"attempts": 1})
            assert (code, answer.changed) == (1, False)
            assert "wrong node" in answer.message
    finally:
        ask(owner, "SET GLOBAL read_only = 0")


async def test_on_a_replica_that_shall_be_read_only_sessions_are_ended_all_the_same(here: Stage):
    owner, leaked = here.owner(), here.app()
    ask(leaked, "BEGIN")
    ask(leaked, "SELECT * FROM ledger WHERE id = 1")
    ask(owner, "SET GLOBAL read_only = 1")
    try:
        await CLOCK.sleep(2.1)
        answer, code = await here.act(STALE, writable=False)
    finally:
        ask(owner, "SET GLOBAL read_only = 0")
    assert (code, len(answer.sessions)) == (0, 1), answer


async def test_a_frozen_server_is_reported_in_time(here: Stage):
    session = await here.session()
    here.server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseFault) as frozen:
            await here.session(within=1.0)
        assert frozen.value.kind is FaultKind.FROZEN
        with pytest.raises(DatabaseFault):
            await asyncio.wait_for(session.is_writable(), 8)
    finally:
        here.server.signal(signal.SIGCONT)
        await session.close()


async def test_a_role_without_rights_is_told_what_it_lacks(here: Stage):
    owner = here.owner()
    ask(owner, "REVOKE CONNECTION ADMIN ON *.* FROM recovery@'%'")
    answer, code = await here.act(STALE)
    install(here.server)
    assert code == 1
    assert "lacks CONNECTION ADMIN" in answer.message
    assert "generate sql --engine mysql --database orders --app-user orders" in answer.message


async def test_only_one_job_works_on_a_database_at_a_time(here: Stage):
    session = await here.session()
    assert await session.try_lock("shop/orders-db")
    answer, code = await here.act(STALE)
    await session.close()
    assert code == 0
    assert "another Job works on the database" in answer.message


async def test_the_acting_role_reads_no_table_of_the_application(here: Stage):
    for user in ("recovery", "recovery_probe"):
        client = here.app(user, None)
        with pytest.raises(pymysql.MySQLError, match="1142"):
            ask(client, "SELECT * FROM orders.ledger")
        with pytest.raises(pymysql.MySQLError, match=r"1227|1142"):
            ask(client, "SET GLOBAL innodb_buffer_pool_size = 1")
