"""Actions on a real MariaDB: who is ended, who never is, and what is left behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pymysql
import pytest

from tests.contract.database.mysql_stage import Stage, ask, install, stage
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Part
from ultra_recovery.core.database_session import Claim, SessionState
from ultra_recovery.job_ports import Aim, Role

STALE = {"closeStaleConnections": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
LONG = {"endLongQueries": {"breaker": "orders-db", "runningFor": "1s", "grace": "1s"}}
CLOCK = SystemClock()
SLOW = "SELECT COUNT(*) FROM ledger a, ledger b, ledger c WHERE a.v + b.v + c.v > 1 AND a.pad = 'secret-value'"


@pytest.fixture
def here(maria: Server) -> Iterator[Stage]:
    with stage(maria) as open_stage:
        yield open_stage


def alive(client: pymysql.Connection) -> bool:
    try:
        ask(client, "SELECT 1")
    except pymysql.MySQLError:
        return False
    return True


async def test_a_stale_transaction_is_rolled_back_and_whoever_waits_for_it_goes_on(here: Stage):
    leaked = here.leak()
    waiting = here.behind(here.app(), "UPDATE ledger SET v = v + 10 WHERE id = 1")
    await CLOCK.sleep(2.1)
    answer, code = await here.act(STALE)
    here.join()
    assert (code, answer.changed) == (0, True), answer
    assert waiting == [[]]
    assert not alive(leaked)
    assert ask(here.owner(), "SELECT v FROM ledger WHERE id = 1") == [{"v": 10}]
    assert [(item.done, item.age >= 1) for item in answer.sessions] == [("idle in transaction, ended", True)]
    assert answer.before is not None
    assert answer.after is not None
    assert (answer.before.idle_in_transaction, answer.before.blocked) == (1, 1)
    assert answer.after.idle_in_transaction == 0
    assert answer.offenders == {"127.0.0.1": 1}


async def test_nobody_innocent_is_ended(here: Stage):
    here.leak()
    idle, other_database, recent = here.app(), here.app(database=None), None
    owner = here.owner()
    ask(owner, "BEGIN")
    ask(owner, "UPDATE ledger SET v = v WHERE id = 500")
    ask(other_database, "BEGIN")
    ask(other_database, "UPDATE orders.ledger SET v = v WHERE id = 600")
    probe = here.app("recovery_probe", "orders")
    await CLOCK.sleep(2.1)
    recent = here.leak(2)
    answer, _ = await here.act(STALE)
    assert [item.done for item in answer.sessions] == ["idle in transaction, ended"]
    assert [alive(client) for client in (idle, other_database, owner, probe, recent)] == [True] * 5


async def test_a_session_that_goes_on_in_the_last_moment_is_left_alone(here: Stage):
    leaked = here.leak()
    session = await here.session()
    await CLOCK.sleep(2.1)
    found = [item for item in await session.sessions() if item.state is SessionState.IDLE_IN_TRANSACTION]
    aim = Aim("orders", "orders", SessionState.IDLE_IN_TRANSACTION, 1.0, 5)
    ask(leaked, "UPDATE ledger SET v = v + 1 WHERE id = 2")
    assert await session.terminate("job", [item.id for item in found], aim) == frozenset()
    await session.close()
    assert alive(leaked)


async def test_an_id_of_another_life_of_the_server_is_nobody(here: Stage):
    leaked = here.leak()
    session = await here.session()
    await CLOCK.sleep(2.1)
    [seen] = [item.id for item in await session.sessions() if item.state is SessionState.IDLE_IN_TRANSACTION]
    client, _, life = seen.start.rpartition(" ")
    stranger = type(seen)(seen.pid, f"{client} {int(life) - 60}", seen.since)
    aim = Aim("orders", "orders", SessionState.IDLE_IN_TRANSACTION, 1.0, 5)
    assert await session.terminate("job", [stranger], aim) == frozenset()
    assert alive(leaked)
    assert await session.terminate("job", [seen], aim) == frozenset({seen.pid})
    await session.close()


async def test_no_more_sessions_are_ended_than_the_action_allows_over_all_of_its_calls(here: Stage):
    leaked = [here.leak(row) for row in range(1, 5)]
    await CLOCK.sleep(2.1)
    aim = Aim("orders", "orders", SessionState.IDLE_IN_TRANSACTION, 1.0, 3)
    for most, expected in ((2, 2), (2, 1)):
        session = await here.session()
        assert await session.claim("capped") in {Claim.FIRST, Claim.AGAIN}
        found = [item.id for item in await session.sessions() if item.state is SessionState.IDLE_IN_TRANSACTION]
        assert len(await session.terminate("capped", found[:most], aim)) == expected
        await session.close()
    assert sum(alive(client) for client in leaked) == 1


async def test_a_job_that_starts_again_after_its_pod_was_killed_ends_nobody_twice(here: Stage):
    here.leak()
    await CLOCK.sleep(2.1)
    task = asyncio.ensure_future(here.act(STALE, "job-1"))
    owner = here.owner()
    for _ in range(200):
        await CLOCK.sleep(0.02)
        if ask(owner, "SELECT id FROM recovery.action"):
            break
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    here.leak(2)
    await CLOCK.sleep(2.1)
    answer, code = await here.act(STALE, "job-1")
    assert code == 0
    assert "was done again" in answer.message
    assert not answer.sessions


async def test_a_transaction_that_changed_very_many_rows_is_reported_and_left_alone(here: Stage):
    client = here.app()
    ask(client, "CREATE TABLE IF NOT EXISTS bulk (id INT PRIMARY KEY)")
    ask(client, "BEGIN")
    ask(client, "INSERT INTO bulk SELECT seq FROM seq_1_to_100001")
    await CLOCK.sleep(2.1)
    session = await here.session()
    [huge] = [item for item in await session.sessions() if item.state is SessionState.IDLE_IN_TRANSACTION]
    await session.close()
    assert "more than 100000 rows" in huge.guard
    answer, _ = await here.act(STALE)
    assert not answer.changed
    assert alive(client)


async def test_the_end_of_a_session_waits_for_its_rollback(here: Stage):
    client = here.app()
    ask(client, "CREATE OR REPLACE TABLE bulk (id INT PRIMARY KEY)")
    ask(client, "BEGIN")
    ask(client, "INSERT INTO bulk SELECT seq FROM seq_1_to_99000")
    await CLOCK.sleep(2.1)
    answer, _ = await here.act(STALE)
    assert [item.done for item in answer.sessions] == ["idle in transaction, ended"]
    session = await here.session()
    reading = await session.figures(here.servers._clock.now(), "orders", "orders")
    await session.close()
    assert reading.longest_transaction_seconds == 0
    assert ask(here.owner(), "SELECT COUNT(*) n FROM bulk") == [{"n": 0}]


async def test_an_old_copy_of_the_transactions_is_never_believed(here: Stage):
    client = here.leak()
    owner = here.owner()
    over = asyncio.Event()

    async def poll() -> None:
        while not over.is_set():
            await asyncio.to_thread(ask, owner, "SELECT COUNT(*) FROM information_schema.INNODB_TRX")
            await CLOCK.sleep(0.02)

    polling = asyncio.ensure_future(poll())
    await CLOCK.sleep(0.3)
    ask(client, "COMMIT")
    await CLOCK.sleep(1.5)
    answer, code = await here.act(STALE)
    over.set()
    await polling
    assert (code, answer.changed) == (1, False)
    assert "old copy" in answer.message
    assert alive(client)


async def test_a_transaction_prepared_by_xa_is_reported_and_never_decided(here: Stage):
    client = here.app()
    for statement in ("XA START 'o1'", "UPDATE ledger SET v = 5 WHERE id = 9", "XA END 'o1'", "XA PREPARE 'o1'"):
        ask(client, statement)
    client.close()
    await CLOCK.sleep(1.2)
    answer, _ = await here.act(STALE)
    ask(here.owner(), "XA ROLLBACK 'o1'")
    assert "1 prepared transactions" in answer.message


async def test_a_long_query_is_cancelled_and_keeps_its_connection(here: Stage):
    client = here.app()
    victim = here.behind(client, SLOW)
    await CLOCK.sleep(2.1)
    answer, code = await here.act(LONG)
    here.join()
    assert (code, answer.changed) == (0, True)
    assert isinstance(victim[0], pymysql.MySQLError)
    assert victim[0].args[0] == 1317
    assert alive(client)
    assert [item.done for item in answer.sessions] == ["cancelled"]
    assert "secret-value" not in answer.to_text()


async def test_what_a_cancel_does_not_end_is_ended_with_its_session(here: Stage):
    client = here.app()
    # Nobody reads the answer: the server waits for the client, and a cancel does not wake it.
    client.cursor(pymysql.cursors.SSCursor).execute("SELECT REPEAT('x', 100000) FROM ledger, ledger b")
    await CLOCK.sleep(2.1)
    answer, _ = await here.act(LONG)
    assert [item.done for item in answer.sessions] in (["ended"], ["cancelled"])
    client._force_close()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE ledger ADD COLUMN c INT DEFAULT (SLEEP(0.004)), ALGORITHM=COPY",
        "SELECT /*!40001 SQL_NO_CACHE */ SLEEP(4)",
    ],
    ids=["ddl", "dump"],
)
async def test_upkeep_is_left_alone(here: Stage, statement: str):
    victim = here.behind(here.app(), statement)
    await CLOCK.sleep(2.1)
    answer, _ = await here.act(LONG)
    here.join()
    ask(here.owner(), "ALTER TABLE ledger DROP COLUMN IF EXISTS c")
    assert not answer.changed
    assert not isinstance(victim[0], Exception)


async def test_a_full_server_lets_the_acting_role_in_once(here: Stage):
    leaked = [here.leak(row) for row in range(1, 11)]
    with pytest.raises(pymysql.OperationalError, match="1040"):
        here.app()
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
