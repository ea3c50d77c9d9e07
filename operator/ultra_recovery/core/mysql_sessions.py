"""What the rows of a MySQL or MariaDB server say of its sessions. Pure.

Two tables are read together: the list of processes, which is live, and InnoDB's list of transactions, which is a copy
that the server renews only when nobody has read it for 100 ms. Whoever reads it more often keeps it old for everybody;
a row of an old copy would make a stale transaction of a session that has long committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_session import UNTOLD, Limit, Prepared, ServerSession, SessionId, SessionState
from ultra_recovery.core.mysql_statement import as_standard, is_dump
from ultra_recovery.core.statement import digest_of, verb_of

MAX_ROWS = 100_000
"""Rows that a transaction may have changed if it is to be ended. To roll back 100,000 took 0.3 s where a million took
2.1 s, on an idle machine: ten times slower is still within a step, and a larger one holds its locks for longer than it
helps. It cannot be hurried: a restart of the server would go on with it."""
SAME_LIFE = 2
"""Seconds by which two readings of a server's start may differ: it is known to the second."""
_SYSTEM_USERS = frozenset(
    {
        *("system user", "event_scheduler", "unauthenticated user", "root", "mysql", "mariadb.sys"),
        *("mysql.sys", "mysql.session", "mysql.infoschema"),
    }
)
_STATEMENT = frozenset({"Query", "Execute"})
_COMMITTING = ("commit", "semi-sync")
"""In the state of a thread: cut off there, nobody knows whether the transaction was committed."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One row of INNODB_TRX.

    Attributes:
        thread: connection id; 0 of one that has none any more, such as one that was prepared by XA.
        seconds: age.
        rows: rows that it has changed.
    """

    id: int
    thread: int
    state: str
    started: str
    seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class Process:
    """One row of PROCESSLIST.

    Attributes:
        host: address and port of the client.
        seconds: how long it has been in its state.
        status: what the thread does at the moment, in the server's words.
        statement: text of its statement; never shown.
        query_id: number of its latest statement on MariaDB, which no other statement has; None on MySQL.
        program: what the client calls itself; None where the server does not tell.
    """

    id: int
    user: str
    host: str
    database: str
    command: str
    seconds: float
    status: str = ""
    statement: str = ""
    query_id: int | None = None
    program: str | None = None
    transaction: Transaction | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at one moment.

    Attributes:
        life: when the server was started, in seconds of its own clock.
        own: our own connection id, which is left out of everything.
        own_user: whom we are logged in as.
        blocking: how many sessions wait for each connection.
    """

    life: int
    own: int
    own_user: str
    processes: Sequence[Process]
    blocking: dict[int, int]


def sessions_of(reading: Reading) -> list[ServerSession]:
    """Every client's session but our own."""
    return [session_of(process, reading) for process in reading.processes if process.id != reading.own]


def session_of(process: Process, reading: Reading) -> ServerSession:
    """One session, with the reason why it must never be ended, if there is one."""
    state = _state(process)
    seconds = _seconds(process)
    active = state is SessionState.ACTIVE
    text = as_standard(process.statement) if active else ""
    return ServerSession(
        id=SessionId(process.id, f"{process.host} {reading.life}", _since(process, state)),
        user=process.user,
        database=process.database,
        application="mysqldump" if is_dump(process.statement) else _name(process),
        address=process.host.rpartition(":")[0] or process.host,
        state=state,
        state_seconds=seconds,
        statement_seconds=seconds if active else 0.0,
        verb=verb_of(text),
        query=digest_of(text),
        guard=_guard(process, state, reading),
        blocks=reading.blocking.get(process.id, 0),
        waits=process.transaction is not None and process.transaction.state == "LOCK WAIT",
    )


def _name(process: Process) -> str:
    return UNTOLD if process.program is None else process.program


def _state(process: Process) -> SessionState:
    transaction = process.transaction
    if transaction is not None and transaction.state in ("ROLLING BACK", "COMMITTING"):
        return SessionState.OTHER
    if process.command in _STATEMENT:
        return SessionState.ACTIVE
    if process.command == "Sleep":
        return SessionState.IDLE if transaction is None else SessionState.IDLE_IN_TRANSACTION
    return SessionState.OTHER


def _seconds(process: Process) -> float:
    """How long it has been so. A session can set its own time of statements; that of its transaction it cannot."""
    if process.transaction is None:
        return max(process.seconds, 0.0)
    return max(min(process.seconds, process.transaction.seconds), 0.0)


def _since(process: Process, state: SessionState) -> str:
    """What changes as soon as the session does anything else."""
    transaction, parts = process.transaction, []
    if process.query_id is not None:
        parts.append(f"query {process.query_id}")
    elif state is SessionState.ACTIVE:
        parts.append(f"statement {digest_of(as_standard(process.statement))}")
    if state is SessionState.IDLE_IN_TRANSACTION and transaction is not None:
        parts.append(f"transaction {transaction.id} {transaction.started}")
    return " ".join(parts)


def _guard(process: Process, state: SessionState, reading: Reading) -> str:
    transaction = process.transaction
    if process.user in _SYSTEM_USERS or process.command.startswith(("Binlog", "Daemon", "Connect", "Slave")):
        return "belongs to the server itself, to replication or to its administrator"
    if process.user == reading.own_user:
        return "is one of recovery's own"
    if process.command == "Killed" or (transaction is not None and transaction.state == "ROLLING BACK"):
        return "is being ended already"
    if state is not SessionState.IDLE and any(word in process.status.lower() for word in _COMMITTING):
        return "is just committing"
    if transaction is not None and transaction.state == "COMMITTING":
        return "is just committing"
    if state is SessionState.ACTIVE and not process.statement.strip():
        return "runs a statement that cannot be seen"
    if transaction is not None and transaction.rows > MAX_ROWS:
        return f"has changed more than {MAX_ROWS} rows: to roll that back takes longer than it helps"
    return ""


def is_same(seen: SessionId, now: SessionId) -> bool:
    """Whether both are one session of one life of the server, which has done nothing since."""
    client, _, life = seen.start.rpartition(" ")
    client_now, _, life_now = now.start.rpartition(" ")
    if (seen.pid, client, seen.since) != (now.pid, client_now, now.since):
        return False
    return life.isdigit() and life_now.isdigit() and abs(int(life) - int(life_now)) <= SAME_LIFE


def figures_of(
    reading: Reading,
    transactions: Iterable[Transaction],
    limits: Sequence[Limit],
    at: datetime,
    whose: tuple[str, str],
) -> PoolFigures:
    """The connections of the server.

    Args:
        reading: its sessions.
        transactions: its transactions.
        limits: the server's own limit, then others that the application may run into.
        at: when they were read.
        whose: user and database of the application, whose sessions are judged.
    """
    own = [item for item in sessions_of(reading) if (item.user, item.database) == whose]
    idle = [item.state_seconds for item in own if item.state is SessionState.IDLE_IN_TRANSACTION]
    pids = {item.id.pid for item in own}
    mine = [item for item in transactions if item.thread in pids]
    return PoolFigures(
        at=at,
        limit=limits[0].most,
        used=limits[0].used,
        free=min(limit.most - limit.used for limit in limits),
        idle_in_transaction=len(idle),
        oldest_idle_seconds=int(max(idle, default=0)),
        longest_transaction_seconds=int(max((item.seconds for item in mine), default=0)),
        longest_query_seconds=int(max((item.statement_seconds for item in own), default=0)),
        blocked=sum(item.state == "LOCK WAIT" for item in mine),
    )


def orphans_of(transactions: Iterable[Transaction]) -> list[Prepared]:
    """Transactions that outlived their sessions, the oldest first: prepared by XA, for a coordinator to decide."""
    found = [item for item in transactions if item.thread == 0 and item.state != "ROLLING BACK"]
    return [Prepared(f"transaction {item.id}", item.seconds) for item in sorted(found, key=lambda item: -item.seconds)]
