"""Actions on a real MariaDB: who is ended, who never is, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pymysql
import pytest

from tests.contract.database.mysql_stage import Stage, ask, stage
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.core.database_session import Claim, SessionState
from ultra_recovery.job_ports import Aim

STALE = {"closeStaleConnections": {"breaker": "orders-db", "idleInTransactionFor": "1s"}}
LONG = {"endLongQueries": {"breaker": "orders-db", "runningFor": "1s", "grace": "1s"}}
CLOCK = SystemClock()
SLOW = "SELECT COUNT(*) FROM ledger a, ledger b, ledger c WHERE a.v + b.v + c.v > 1 OR c.pad = 'secret-value'"


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
    assert await session.claim("job") is Claim.FIRST
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
    assert await session.claim("job") is Claim.FIRST
    await CLOCK.sleep(2.1)
    [seen] = [item.id for item in await session.sessions() if item.state is SessionState.IDLE_IN_TRANSACTION]
    client, _, life = seen.start.rpartition(" ")
    stranger = type(seen)(seen.pid, f"{client} {int(life) - 60}", seen.since)
    aim = Aim("orders", "orders", SessionState.IDLE_IN_TRANSACTION, 1.0, 5)
    assert await session.terminate("job", [stranger], aim) == frozenset()
    assert await session.terminate("job", [seen], aim) == frozenset({seen.pid})
    await session.close()
    assert not alive(leaked)


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


async def test_a_statement_that_a_cancel_did_not_end_is_ended_with_its_session_if_it_is_the_same(here: Stage):
    client = here.app()
    victim = here.behind(client, SLOW)
    await CLOCK.sleep(2.1)
    session = await here.session()
    assert await session.claim("job") is Claim.FIRST
    [seen] = [item.id for item in await session.sessions() if item.state is SessionState.ACTIVE]
    aim = Aim("orders", "orders", SessionState.ACTIVE, 1.0, 5)
    other = type(seen)(seen.pid, seen.start, "query 1")
    assert await session.terminate("job", [other], aim) == frozenset()
    assert await session.terminate("job", [seen], aim) == frozenset({seen.pid})
    await session.close()
    here.join()
    assert isinstance(victim[0], pymysql.MySQLError)
    assert not alive(client)


async def test_upkeep_is_left_alone(here: Stage):
    holder = here.leak()
    here.behind(here.app(), "ALTER TABLE ledger ADD COLUMN IF NOT EXISTS c INT")
    dump = here.behind(here.app(), "SELECT /*!40001 SQL_NO_CACHE */ SLEEP(4)")
    await CLOCK.sleep(2.1)
    answer, _ = await here.act(LONG)
    ask(holder, "ROLLBACK")
    here.join()
    assert not answer.changed
    assert "2 more were left alone" in answer.message
    assert not isinstance(dump[0], Exception)
