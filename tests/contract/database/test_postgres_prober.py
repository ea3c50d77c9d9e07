"""The PostgreSQL prober against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.contract.database.conftest import Bench, open_postgres
from tests.contract.database.servers import APP_LIMIT, Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome

SETUP = """
CREATE ROLE probe LOGIN PASSWORD 'probe';
GRANT pg_read_all_stats TO probe;
CREATE ROLE blind LOGIN PASSWORD 'blind';
CREATE ROLE orders LOGIN PASSWORD 'orders';
CREATE ROLE other LOGIN PASSWORD 'other';
CREATE TABLE stock (id int PRIMARY KEY, amount int);
INSERT INTO stock VALUES (1, 10);
GRANT ALL ON stock TO orders, other;
"""


@pytest.fixture(scope="module", autouse=True)
def orders(pg: Server) -> None:
    async def prepare() -> None:
        connection = await open_postgres(pg.port)
        await connection.execute("CREATE DATABASE orders")
        await connection.close()
        connection = await open_postgres(pg.port, database="orders")
        await connection.execute(SETUP)
        await connection.close()

    asyncio.run(prepare())


@pytest.fixture(autouse=True)
async def alone(pg: Server) -> AsyncIterator[None]:
    """Nobody of an earlier test is still there."""
    yield
    owner = await open_postgres(pg.port)
    while await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    ):
        await SystemClock().sleep(0.02)
    await owner.close()


@pytest.fixture
def ready(pg: Server, bench: Bench) -> Bench:
    bench.publish(pg.port)
    bench.login("probe", "probe")
    return bench


@asynccontextmanager
async def sessions(pg: Server, count: int, user: str = "orders") -> AsyncIterator[list[asyncpg.Connection[Any]]]:
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            connection = await open_postgres(pg.port, user, "orders")
            stack.push_async_callback(connection.close, timeout=5)
            found.append(connection)
        yield found


async def test_a_login_and_a_query_are_a_success_with_the_figures_of_the_pool(pg: Server, ready: Bench):
    async with sessions(pg, 2):
        result = await ready.ask_postgres(appUser="orders")
    assert (result.outcome, result.reason) == (Outcome.SUCCESS, Reason.PROBE_SUCCEEDED)
    figures = result.figures
    assert figures is not None
    assert (figures.limit, figures.used, figures.free) == (APP_LIMIT, 2, APP_LIMIT - 2)
    assert (figures.blind, figures.pooler) == (False, None)


async def test_sessions_that_hold_a_transaction_and_those_they_block_are_counted(pg: Server, ready: Bench):
    async with sessions(pg, 2) as (holder, blocked):
        await holder.execute("BEGIN; UPDATE stock SET amount = amount - 1 WHERE id = 1")
        waiting = asyncio.ensure_future(blocked.execute("UPDATE stock SET amount = 0 WHERE id = 1"))
        await SystemClock().sleep(1.2)
        figures = (await ready.ask_postgres(appUser="orders")).figures
        assert figures is not None
        assert (figures.idle_in_transaction, figures.blocked) == (1, 1)
        assert min(figures.oldest_idle_seconds, figures.longest_transaction_seconds, figures.longest_query_seconds) >= 1
        others = (await ready.ask_postgres(appUser="other")).figures
        assert others is not None
        assert (others.idle_in_transaction, others.blocked, others.longest_query_seconds) == (0, 0, 0)
        await holder.execute("ROLLBACK")
        await waiting


@pytest.mark.failure(
    of="Dependency",
    what="A database has no connection left",
    see="the probe fails with `Exhausted`, which says that the server is there",
    bound="one probe, `probe.timeout`",
)
async def test_a_full_server_is_exhausted_and_a_role_with_rights_still_sees_how_full(pg: Server, ready: Bench):
    async with sessions(pg, APP_LIMIT):
        result = await ready.ask_postgres()
        assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.EXHAUSTED)
        assert result.message == "the server has no connection left for ordinary users"
        ready.login("owner", "owner")
        figures = (await ready.ask_postgres()).figures
    assert figures is not None
    assert (figures.limit, figures.used, figures.free) == (APP_LIMIT, APP_LIMIT, 0)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param("ALTER ROLE orders CONNECTION LIMIT 3", (3, 2, 1), id="of the role"),
        pytest.param("ALTER DATABASE orders CONNECTION LIMIT 4", (4, 2, 2), id="of the database"),
        pytest.param("ALTER ROLE orders CONNECTION LIMIT 100", (APP_LIMIT, 2, APP_LIMIT - 2), id="one that is higher"),
    ],
)
async def test_the_limit_that_counts_is_the_one_that_the_application_meets_first(
    pg: Server, ready: Bench, limit: str, expected: tuple[int, int, int]
):
    owner = await open_postgres(pg.port)
    try:
        await owner.execute(limit)
        async with sessions(pg, 2):
            figures = (await ready.ask_postgres(appUser="orders")).figures
    finally:
        await owner.execute("ALTER ROLE orders CONNECTION LIMIT -1; ALTER DATABASE orders CONNECTION LIMIT -1")
        await owner.close()
    assert figures is not None
    # The owner's session counts against the server, and against no other limit.
    spare = 1 if expected[0] == APP_LIMIT else 0
    assert (figures.limit, figures.used, figures.free) == (expected[0], expected[1] + spare, expected[2] - spare)


@pytest.mark.parametrize("scope", ["role", "database"])
async def test_reached_limits_of_a_role_or_database_are_told_apart(pg: Server, ready: Bench, scope: str):
    owner, name = await open_postgres(pg.port), "probe" if scope == "role" else "orders"
    try:
        await owner.execute(f"ALTER {scope} {name} CONNECTION LIMIT 0")
        result = await ready.ask_postgres()
    finally:
        await owner.execute(f"ALTER {scope} {name} CONNECTION LIMIT -1")
        await owner.close()
    assert (result.reason, result.message) == (Reason.EXHAUSTED, f"the connection limit of the {scope} is reached")


async def test_a_role_that_may_not_see_other_sessions_says_so(pg: Server, ready: Bench):
    ready.login("blind", "blind")
    async with sessions(pg, 2) as (holder, _):
        await holder.execute("BEGIN")
        result = await ready.ask_postgres()
        await holder.execute("ROLLBACK")
    assert result.outcome is Outcome.SUCCESS
    assert result.figures is not None
    assert (result.figures.blind, result.figures.used, result.figures.idle_in_transaction) == (True, 2, 0)


@pytest.mark.parametrize(
    ("user", "password", "database", "message"),
    [
        pytest.param("probe", "wrong", "orders", "refuses the password", id="password"),
        pytest.param("nobody", "probe", "orders", "refuses the password", id="unknown role"),
        pytest.param("probe", "probe", "nothing", "database does not exist", id="database"),
        pytest.param("probe", "probe", 'o"; DROP', "database does not exist", id="exotic name"),
    ],
)
@pytest.mark.failure(
    of="Dependency",
    what="A database refuses the password",
    see="`Ready=False` with `CredentialsRefused`; the breaker does not move, the same password is not tried "
    "again at once",
    bound="next try after 30 s, then ever later",
)
async def test_what_is_refused_never_moves_a_breaker_and_is_not_asked_again_at_once(
    pg: Server, ready: Bench, user: str, password: str, database: str, message: str
):
    ready.login(user, password)
    first = await ready.ask_postgres(database=database)
    assert (first.outcome, first.reason, first.permanent) == (Outcome.ERROR, Reason.CREDENTIALS_REFUSED, True)
    assert message in first.message
    assert ready.secrets.forgotten == [("shop", "probe")]
    log = pg.log().count("FATAL")
    again = await ready.ask_postgres(database=database)
    assert (again.outcome, again.message) == (first.outcome, first.message)
    assert pg.log().count("FATAL") == log


async def test_a_changed_secret_is_tried_at_once(ready: Bench):
    ready.login("probe", "wrong")
    assert (await ready.ask_postgres()).reason is Reason.CREDENTIALS_REFUSED
    ready.login("probe", "probe")
    assert (await ready.ask_postgres()).outcome is Outcome.SUCCESS


async def test_a_server_that_takes_no_writes_is_the_wrong_node_unless_the_breaker_does_not_mind(
    pg: Server, ready: Bench
):
    owner = await open_postgres(pg.port)
    try:
        await owner.execute("ALTER DATABASE orders SET default_transaction_read_only = on")
        strict, easy = await ready.ask_postgres(), await ready.ask_postgres(writable=False)
    finally:
        await owner.execute("ALTER DATABASE orders RESET default_transaction_read_only")
        await owner.close()
    assert (strict.outcome, strict.reason) == (Outcome.FAILURE, Reason.WRONG_NODE)
    assert strict.figures is not None
    assert easy.outcome is Outcome.SUCCESS


async def test_a_role_that_is_read_only_by_its_own_setting_says_nothing_of_the_server(pg: Server, ready: Bench):
    owner = await open_postgres(pg.port)
    try:
        await owner.execute("ALTER ROLE probe SET default_transaction_read_only = on")
        result = await ready.ask_postgres()
    finally:
        await owner.execute("ALTER ROLE probe RESET default_transaction_read_only")
        await owner.close()
    assert result.outcome is Outcome.SUCCESS


@pytest.mark.parametrize("mode", ["Disable", "Prefer", "Require"])
async def test_a_login_works_in_every_mode_of_encryption(ready: Bench, mode: str):
    assert (await ready.ask_postgres(tls={"mode": mode})).outcome is Outcome.SUCCESS


async def test_a_certificate_is_checked_by_the_name_although_the_address_is_connected_to(pg: Server, ready: Bench):
    ready.login("probe", "probe", **{"ca.crt": (pg.folder / "server.crt").read_text()})
    assert (await ready.ask_postgres(tls={"mode": "VerifyFull"})).outcome is Outcome.SUCCESS
    wrong = await ready.ask_postgres(tls={"mode": "VerifyFull", "serverName": "other.example.com"})
    assert (wrong.outcome, wrong.reason) == (Outcome.ERROR, Reason.TARGET_INVALID)
    assert "certificate" in wrong.message
    ready.login("probe", "probe")
    with pytest.raises(SpecError, match=r"needs key ca\.crt"):
        await ready.ask_postgres(tls={"mode": "VerifyFull"})
    ready.login("probe", "probe", **{"ca.crt": "nonsense"})
    with pytest.raises(SpecError, match="no certificate"):
        await ready.ask_postgres(tls={"mode": "VerifyFull"})
