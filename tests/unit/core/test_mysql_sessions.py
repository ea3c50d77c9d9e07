"""What rows of a MySQL server say of its sessions: who is at fault, and who must never be ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.core import session_choice as choice
from ultra_recovery.core.database_session import Limit, SessionId, SessionState
from ultra_recovery.core.mysql_memory import Footprint, refusal
from ultra_recovery.core.mysql_sessions import (
    MAX_ROWS,
    Process,
    Reading,
    Transaction,
    figures_of,
    is_same,
    orphans_of,
    session_of,
    sessions_of,
)

OPEN = Transaction(35, 7, "RUNNING", "2026-11-25 01:00:00", 90.0, 1)
IDLE = Process(7, "orders", "10.0.0.7:5123", "orders", "Sleep", 60.0, query_id=30)
LEAKED = replace(IDLE, transaction=OPEN)
BUSY = replace(IDLE, command="Query", statement="SELECT 'secret'", seconds=70.0)


def reading(*processes: Process, blocking: dict[int, int] | None = None) -> Reading:
    return Reading(1_000_000, 99, "recovery", processes, blocking or {})


@pytest.mark.parametrize(
    ("process", "state"),
    [
        (IDLE, SessionState.IDLE),
        (LEAKED, SessionState.IDLE_IN_TRANSACTION),
        (BUSY, SessionState.ACTIVE),
        (replace(BUSY, command="Execute"), SessionState.ACTIVE),
        (replace(BUSY, transaction=OPEN), SessionState.ACTIVE),
        (replace(LEAKED, command="Killed"), SessionState.OTHER),
        (replace(LEAKED, transaction=replace(OPEN, state="ROLLING BACK")), SessionState.OTHER),
        (replace(LEAKED, transaction=replace(OPEN, state="COMMITTING")), SessionState.OTHER),
        (replace(IDLE, command="Binlog Dump"), SessionState.OTHER),
    ],
)
def test_a_session_is_in_one_state(process: Process, state: SessionState):
    assert session_of(process, reading()).state is state


@pytest.mark.parametrize(
    ("process", "words"),
    [
        (IDLE, ""),
        (LEAKED, ""),
        (BUSY, ""),
        (replace(LEAKED, user="system user"), "server itself"),
        (replace(LEAKED, user="event_scheduler"), "server itself"),
        (replace(LEAKED, user="root"), "administrator"),
        (replace(IDLE, command="Binlog Dump GTID"), "replication"),
        (replace(IDLE, command="Daemon"), "server itself"),
        (replace(LEAKED, user="recovery"), "recovery's own"),
        (replace(LEAKED, command="Killed"), "ended already"),
        (replace(LEAKED, transaction=replace(OPEN, state="ROLLING BACK")), "ended already"),
        (replace(LEAKED, transaction=replace(OPEN, state="COMMITTING")), "committing"),
        (replace(BUSY, status="Waiting for semi-sync ACK from slave"), "committing"),
        (replace(BUSY, status="Commit"), "committing"),
        (replace(BUSY, statement=""), "cannot be seen"),
        (replace(LEAKED, transaction=replace(OPEN, rows=MAX_ROWS + 1)), "rows"),
        (replace(LEAKED, transaction=replace(OPEN, rows=MAX_ROWS)), ""),
    ],
)
def test_what_must_never_be_ended_is_guarded(process: Process, words: str):
    guard = session_of(process, reading()).guard
    assert words in guard
    assert bool(guard) is bool(words)


def test_our_own_session_is_not_among_them():
    assert [item.id.pid for item in sessions_of(reading(replace(IDLE, id=99), IDLE))] == [7]


def test_nobody_has_been_idle_in_a_transaction_for_longer_than_it_exists():
    young = replace(LEAKED, seconds=5_000.0, transaction=replace(OPEN, seconds=2.0))
    assert session_of(young, reading()).state_seconds == 2.0


def test_of_a_statement_nothing_but_its_verb_and_a_digest_is_told():
    session = session_of(BUSY, reading())
    assert (session.verb, len(session.query), "secret" in repr(session)) == ("SELECT", 16, False)


def test_a_dump_is_known_as_one_without_a_name():
    dump = replace(BUSY, statement="SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`")
    assert session_of(dump, reading()).application == "mysqldump"


@pytest.mark.parametrize(
    ("program", "allow", "deny", "spared"),
    [
        (None, (), (), False),
        (None, (), ("migrate*",), True),
        (None, ("orders*",), (), True),
        ("orders-web", ("orders*",), ("migrate*",), False),
        ("migrate-1", (), ("migrate*",), True),
        ("", (), ("migrate*",), False),
    ],
)
def test_where_no_name_is_told_a_deny_list_spares_everybody(
    program: str | None, allow: tuple[str, ...], deny: tuple[str, ...], spared: bool
):
    session = session_of(replace(LEAKED, program=program), reading())
    assert bool(choice.refusal(session, choice.Scope("orders", "orders", allow, deny))) is spared


def test_who_waits_and_who_blocks_is_told():
    waiting = replace(BUSY, transaction=replace(OPEN, state="LOCK WAIT"))
    assert session_of(waiting, reading()).waits
    assert session_of(LEAKED, reading(blocking={7: 3})).blocks == 3


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"pid": 8}, False),
        ({"start": "10.0.0.7:5123 1000002"}, True),
        ({"start": "10.0.0.7:5123 1000003"}, False),
        ({"start": "10.0.0.7:5124 1000000"}, False),
        ({"start": ""}, False),
        ({"since": "query 31 transaction 35 2026-11-25 01:00:00"}, False),
    ],
    ids=["same", "other id", "read a second later", "other life", "other client", "unknown", "did something since"],
)
def test_a_session_is_the_same_only_if_it_did_nothing_since(change: dict[str, str | int], same: bool):
    now = session_of(LEAKED, reading()).id
    values = {"pid": now.pid, "start": now.start, "since": now.since, **change}
    assert is_same(SessionId(**values), now) is same  # type: ignore[arg-type]


def test_on_mysql_another_statement_of_the_session_is_another_one():
    one = session_of(replace(BUSY, query_id=None), reading()).id
    other = session_of(replace(BUSY, query_id=None, statement="DELETE FROM t"), reading()).id
    assert not is_same(one, other)


def test_figures_count_the_application_only_and_the_narrowest_limit():
    waiting = replace(BUSY, id=8, transaction=replace(OPEN, id=36, thread=8, state="LOCK WAIT"))
    stranger = replace(LEAKED, id=9, user="other", seconds=900.0)
    transactions = [OPEN, replace(OPEN, id=36, thread=8, state="LOCK WAIT", seconds=70.0), replace(OPEN, thread=9)]
    limits = [Limit("server", 10, 3), Limit("user orders", 4, 3)]
    at = datetime(2026, 11, 25, tzinfo=UTC)
    found = figures_of(reading(LEAKED, waiting, stranger), transactions, limits, at, ("orders", "orders"))
    assert (found.limit, found.used, found.free) == (10, 3, 1)
    assert (found.idle_in_transaction, found.oldest_idle_seconds, found.blocked) == (1, 60, 1)
    assert (found.longest_transaction_seconds, found.longest_query_seconds) == (90, 70)


def test_transactions_without_a_session_are_told_the_oldest_first():
    gone = replace(OPEN, thread=0)
    older = replace(gone, id=36, seconds=200.0)
    rolling = replace(gone, id=37, state="ROLLING BACK")
    assert [item.name for item in orphans_of([gone, OPEN, older, rolling])] == ["transaction 36", "transaction 35"]


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("before", "after", "footprint", "words"),
    [
        (100, 150, Footprint(0, 3 * MIB), ""),
        (100, 151, Footprint(0, 3 * MIB), "more than a half"),
        (100, 300, Footprint(2048 * MIB, 3 * MIB), ""),
        (100, 50, Footprint(0, 3 * MIB), ""),
        (100, 150, Footprint(0, 3 * MIB, files=299), "files"),
        (100, 150, Footprint(0, 3 * MIB, files=300), ""),
    ],
)
def test_a_limit_is_raised_by_what_the_server_is_set_up_for(before: int, after: int, footprint: Footprint, words: str):
    why = refusal(before, after, footprint)
    assert words in why
    assert bool(why) is bool(words)


processes = st.builds(
    Process,
    id=st.integers(1, 50),
    user=st.sampled_from(["orders", "other", "root", "system user", "recovery"]),
    host=st.just("10.0.0.7:5123"),
    database=st.sampled_from(["orders", "other", ""]),
    command=st.sampled_from(["Sleep", "Query", "Execute", "Killed", "Binlog Dump", "Daemon", "Connect"]),
    seconds=st.floats(0, 200),
    status=st.sampled_from(["", "Commit", "Waiting for semi-sync ACK from slave", "Sending data"]),
    statement=st.sampled_from(["SELECT 1", "COMMIT", "ALTER TABLE t ADD c INT", ""]),
    query_id=st.none() | st.integers(1, 99),
    program=st.none() | st.sampled_from(["", "orders-web", "mysqldump", "ultra-recovery-probe"]),
    transaction=st.none()
    | st.builds(
        Transaction,
        id=st.integers(0, 99),
        thread=st.integers(1, 50),
        state=st.sampled_from(["RUNNING", "LOCK WAIT", "ROLLING BACK", "COMMITTING"]),
        started=st.just("2026-11-25 01:00:00"),
        seconds=st.floats(0, 200),
        rows=st.sampled_from([0, 1, MAX_ROWS, MAX_ROWS + 1]),
    ),
)


@given(st.lists(processes, max_size=12))
def test_nobody_innocent_is_ever_chosen(found: list[Process]):
    scope = choice.Scope("orders", "orders")
    sessions = sessions_of(reading(*found))
    by_id = {id(session): process for session, process in zip(sessions, found, strict=True)}
    for chosen in choice.stale_sessions(sessions, scope, 30):
        process = by_id[id(chosen)]
        transaction = process.transaction
        assert (process.user, process.database, process.command) == ("orders", "orders", "Sleep")
        assert transaction is not None
        assert (transaction.state in {"RUNNING", "LOCK WAIT"}, transaction.rows <= MAX_ROWS) == (True, True)
        assert min(process.seconds, transaction.seconds) >= 30
        assert process.program in {None, "", "orders-web"}
    for chosen in choice.long_queries(sessions, scope, 30).chosen:
        process = by_id[id(chosen)]
        assert (process.user, process.database, process.statement) == ("orders", "orders", "SELECT 1")
        assert process.command in {"Query", "Execute"}
        assert process.status in {"", "Sending data"}
