"""The port DatabaseSession on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ultra_recovery.adapters.database import postgres_sql as sql
from ultra_recovery.adapters.database.access import Access
from ultra_recovery.adapters.database.line import Line
from ultra_recovery.adapters.database.postgres_figures import figures_of
from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.database_session import Claim, Limit, Prepared, ServerSession, SessionId, SessionState
from ultra_recovery.core.statement import digest_of, verb_of
from ultra_recovery.job_ports import Aim, DatabaseSession, Role

MAINTENANCE = "postgres"
"""Database where the acting role works: a full or limited database of the application does not lock it out."""
_STATES = {
    "active": SessionState.ACTIVE,
    "idle": SessionState.IDLE,
    "idle in transaction": SessionState.IDLE_IN_TRANSACTION,
    "idle in transaction (aborted)": SessionState.IDLE_IN_TRANSACTION,
}
_WORDS = {
    SessionState.ACTIVE: "active",
    SessionState.IDLE: "idle",
    SessionState.IDLE_IN_TRANSACTION: "idle in transaction",
}
_READ_ONLY = "25006"


class PostgresServers:
    """Opens sessions on PostgreSQL servers, directly or through PgBouncer."""

    def __init__(self, access: Callable[[Place, Role, str], Access]) -> None:
        self._access = access

    async def open(self, place: Place, role: Role, database: str, within: float) -> DatabaseSession:
        """Log in."""
        line = await Line.open(self._access(place, role, database or MAINTENANCE), within)
        session = PostgresSession(line)
        if role is Role.RECOVERY:
            # Never through a pooler: there it would be the next client's setting, too.
            try:
                await line.ask(sql.SETTINGS)
            except DatabaseFault:
                await line.close()
                raise
        return session


class PostgresSession:
    """One session."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._installed = False

    async def close(self) -> None:
        """End it."""
        await self._line.close()

    async def is_writable(self) -> bool:
        """Whether it is no replica and not read-only."""
        return bool((await self._row(sql.WRITABLE))["writable"])

    async def write(self) -> None:
        """Write to recovery.heartbeat."""
        await self._line.ask(sql.WRITE)

    async def missing(self) -> str:
        """What the role lacks. Our functions are used where they are installed, else rights of its own."""
        row = await self._row(sql.MISSING)
        self._installed = bool(row["installed"])
        lacks = []
        if not row["sees"]:
            lacks.append("pg_read_all_stats, without which it sees no other session")
        if not row["installed"] and not row["signals"]:
            lacks.append("the functions of schema recovery in database postgres (or pg_signal_backend)")
        return f"the role that acts lacks {' and '.join(lacks)}" if lacks else ""

    async def figures(self, at: datetime, user: str, database: str) -> PoolFigures:
        """The connections of the server now."""
        values = {"user": user, "database": database}
        row, limits = await self._row(sql.FIGURES, values), await self.limits(user, database)
        free = min(limit.most - limit.used for limit in limits)
        return figures_of(row, at, limit=limits[0].most, used=row["used"], free=free)

    async def limits(self, user: str, database: str) -> Sequence[Limit]:
        """The limits of the server, the role and the database."""
        rows = await self._line.ask(sql.LIMITS, {"user": user, "database": database})
        return [Limit(row["name"], row["most"], row["used"]) for row in rows]

    async def try_lock(self, name: str) -> bool:
        """Take an advisory lock."""
        return bool((await self._row(sql.LOCK, {"name": name}))["taken"])

    async def claim(self, action: str) -> Claim:
        """Record the action in recovery.action, where that is installed and the server takes writes."""
        try:
            row = await self._row(sql.CLAIM, {"action": action})
        except DatabaseFault as fault:
            if fault.kind is FaultKind.RIGHTS or fault.code == _READ_ONLY:
                return Claim.UNKNOWN
            raise
        return Claim.FIRST if row["first"] else Claim.AGAIN

    async def sessions(self) -> Sequence[ServerSession]:
        """Every client's session but this one."""
        return [_session(row) for row in await self._line.ask(sql.SESSIONS)]

    async def terminate(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        """End sessions."""
        return await self._signal("terminate", action, sessions, aim)

    async def cancel(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        """Cancel statements."""
        if aim.state is not SessionState.ACTIVE:
            raise ValueError("a cancel does nothing to a session that runs no statement")
        return await self._signal("cancel", action, sessions, aim)

    async def _signal(self, how: str, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        values = {
            "action": action,
            "how": how,
            "pids": [item.pid for item in sessions],
            "starts": [datetime.fromisoformat(item.start) for item in sessions],
            "sinces": [datetime.fromisoformat(item.since) for item in sessions],
            "user": aim.user,
            "database": aim.database,
            "state": _WORDS[aim.state],
            "seconds": aim.seconds,
            "most": aim.most,
        }
        rows = await self._line.ask(sql.SIGNAL_BY_FUNCTION if self._installed else sql.SIGNAL, values)
        return frozenset(row["pid"] for row in rows)

    async def prepared(self, database: str) -> Sequence[Prepared]:
        """Prepared transactions, which outlive their sessions."""
        rows = await self._line.ask(sql.PREPARED, {"database": database})
        return [Prepared(row["gid"], row["age"]) for row in rows]

    async def swap_limit(self, before: int, after: int) -> int:
        """PostgreSQL cannot.

        Raises:
            DatabaseFault: always.
        """
        del before, after
        raise DatabaseFault(FaultKind.REFUSED, "max_connections needs a restart of PostgreSQL")

    async def _row(self, text: str, values: Mapping[str, object] | None = None) -> dict[str, Any]:
        rows = await self._line.ask(text, values)
        if not rows:
            raise DatabaseFault(FaultKind.REFUSED, "the server gave no row where there is always one")
        return rows[0]


def _session(row: Mapping[str, Any]) -> ServerSession:
    state = _STATES.get(row["state"] or "", SessionState.OTHER)
    text = row["query"] or ""
    active = state is SessionState.ACTIVE
    return ServerSession(
        id=SessionId(row["pid"], _exact(row["backend_start"]), _exact(row["since"])),
        user=row["usename"] or "",
        database=row["datname"] or "",
        application=row["application_name"] or "",
        address=row["address"] or "",
        state=state,
        state_seconds=max(row["still"] or 0.0, 0.0),
        statement_seconds=max(row["running"] or 0.0, 0.0) if active else 0.0,
        verb=verb_of(text) if active else "",
        query=row["query_id"] or digest_of(text),
        # A session whose beginning is not shown cannot be told from a later one with its pid.
        guard=row["guard"] if row["backend_start"] and row["since"] else "cannot be seen well enough",
        blocks=row["blocks"],
        waits=bool(row["waits"]),
    )


def _exact(value: datetime | None) -> str:
    return value.isoformat() if value is not None else ""
