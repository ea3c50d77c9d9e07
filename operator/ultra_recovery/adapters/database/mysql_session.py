"""The port DatabaseSession for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from ultra_recovery.adapters.database import mysql_queries as sql
from ultra_recovery.adapters.database.access import Access
from ultra_recovery.adapters.database.mysql_link import MysqlLink, Result
from ultra_recovery.adapters.database.mysql_reading import MysqlReader
from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.database_session import Claim, Limit, Prepared, ServerSession, SessionId
from ultra_recovery.core.mysql_memory import Footprint, refusal
from ultra_recovery.core.mysql_sessions import figures_of, is_same, orphans_of, sessions_of
from ultra_recovery.job_ports import Aim, DatabaseSession, Role
from ultra_recovery.ports import Clock

CALL = 5.0
"""Seconds that one statement may take."""
_NOWHERE = frozenset({FaultKind.RIGHTS, FaultKind.WRONG_NODE})
"""Our table is not installed, or the server takes no writes: there is nowhere to record anything."""
_GONE = frozenset({"1094", "1957"})
"""The session or the statement ended by itself in the last moment."""


class MysqlServers:
    """Opens sessions on MySQL and MariaDB servers."""

    def __init__(self, access: Callable[[Place, Role, str], Access], clock: Clock) -> None:
        self._access = access
        self._clock = clock

    async def open(self, place: Place, role: Role, database: str, within: float) -> DatabaseSession:
        """Log in. The acting role names no database: it has rights on none but our own."""
        end = self._clock.boottime() + within
        link = MysqlLink(self._access(place, role, "" if role is Role.RECOVERY else database))
        try:
            await link.open(within)
            reader = await MysqlReader.start(link, self._clock, max(end - self._clock.boottime(), 0.1))
        except BaseException:
            await link.close()
            raise
        return MysqlSession(link, reader)


class MysqlSession:
    """One open session. The acting role has one at a time: of a full server there is exactly one place for it."""

    def __init__(self, link: MysqlLink, reader: MysqlReader) -> None:
        self._link = link
        self._reader = reader
        self._spent: dict[str, int] = {}

    async def close(self) -> None:
        """End it; never raises."""
        await self._link.close()

    async def is_writable(self) -> bool:
        """Whether neither the server nor InnoDB is read-only."""
        row = (await self._run(sql.READ_ONLY)).rows[0]
        return not any(_is_on(row[name]) for name in ("server", "engine"))

    async def write(self) -> None:
        """Write to recovery.heartbeat."""
        await self._change(sql.HEARTBEAT)

    async def missing(self) -> str:
        """By the grants that the server shows. What comes through a role is not among them: then nothing is missed."""
        rows = (await self._run(sql.GRANTS)).rows
        return missing_of([str(value) for row in rows for value in row.values()], self._reader.dialect.admin)

    async def figures(self, at: datetime, user: str, database: str) -> PoolFigures:
        """The connections of the server, without this one."""
        limits = await self.limits(user, database)
        try:
            reading, transactions = await self._reader.read()
        except DatabaseFault as fault:
            if fault.kind is not FaultKind.RIGHTS:
                raise
            free = min(limit.most - limit.used for limit in limits)
            return PoolFigures(at=at, limit=limits[0].most, used=limits[0].used, free=free, blind=True)
        return figures_of(reading, transactions, limits, at, (user, database))

    async def limits(self, user: str, database: str) -> Sequence[Limit]:
        """max_connections, and max_user_connections where it is set."""
        del database
        row = (await self._run(sql.LIMITS)).rows[0]
        connected = int((await self._run(sql.CONNECTED)).rows[0]["Value"])
        limits = [Limit("server", int(row["most"]), max(connected - 1, 0))]
        if int(row["of_user"]):
            used = int((await self._run(sql.OF_USER, (user,))).rows[0]["used"])
            limits.append(Limit(f"user {user}", int(row["of_user"]), used))
        return limits

    async def try_lock(self, name: str) -> bool:
        """Take a user-level lock; its name is the same on every server."""
        digest = sha256(name.encode()).hexdigest()[:32]
        row = (await self._run(sql.LOCK, (f"ultra-recovery/{digest}",))).rows[0]
        return bool(row["taken"] == 1)

    async def claim(self, action: str) -> Claim:
        """Insert the action into recovery.action."""
        try:
            first = (await self._change(sql.CLAIM, (action,))).changed == 1
            await self._change(sql.FORGET)
        except DatabaseFault as fault:
            if fault.kind in _NOWHERE:
                return Claim.UNKNOWN
            raise
        return Claim.FIRST if first else Claim.AGAIN

    async def sessions(self) -> Sequence[ServerSession]:
        """Every client's session but this one, those too that are still rolling back."""
        reading, _ = await self._reader.read()
        return sessions_of(reading)

    async def terminate(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        """KILL CONNECTION: it returns at once, the rollback goes on while the session is still listed."""
        return await self._signal(action, sessions, aim, session=True)

    async def cancel(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        """KILL QUERY: an idle session would take it and keep its transaction."""
        return await self._signal(action, sessions, aim, session=False)

    async def prepared(self, database: str) -> Sequence[Prepared]:
        """Transactions without a session, of all databases: the server does not say of which they are."""
        del database
        _, transactions = await self._reader.read()
        return orphans_of(transactions)

    async def swap_limit(self, before: int, after: int) -> int:
        """SET GLOBAL max_connections, within what the server is set up to use."""
        if after > before:
            row = (await self._run(sql.MEMORY)).rows[0]
            why = refusal(before, after, Footprint(int(row["shared"]), int(row["each_one"]), int(row["files"])))
            if why:
                raise DatabaseFault(FaultKind.REFUSED, why)
        await self._run(sql.SWAP, (before, after))
        return int((await self._run(sql.LIMITS)).rows[0]["most"])

    async def _signal(self, action: str, sessions: Sequence[SessionId], aim: Aim, *, session: bool) -> frozenset[int]:
        """Look at all of them afresh, then look and signal one after the other, each in less than a millisecond."""
        reading, _ = await self._reader.read()
        present = {item.id.pid: item for item in sessions_of(reading)}
        queries = {item.id: item.query_id for item in reading.processes}
        hosts = {item.id: item.host for item in reading.processes}
        signalled = set()
        for wanted in sessions:
            item = present.get(wanted.pid)
            if item is None or not _is_target(item, wanted, aim):
                continue
            if not await self._spend(action, aim.most):
                break
            place = (item.id.pid, item.user, hosts[item.id.pid], item.database, int(aim.seconds))
            if await self._kill(place, queries[item.id.pid], session=session):
                signalled.add(wanted.pid)
        return frozenset(signalled)

    async def _kill(self, place: tuple[Any, ...], query_id: int | None, *, session: bool) -> bool:
        signal = sql.kill(place[0], query_id, session=session)
        try:
            if query_id is not None:
                statement = self._reader.dialect.checked_signal.format(signal=signal)
                return bool((await self._run(statement, (*place, query_id))).rows[0]["done"])
            if not (await self._run(self._reader.dialect.still, place)).rows:
                return False
            await self._run(signal)
        except DatabaseFault as fault:
            if fault.code in _GONE:
                return False
            raise
        return True

    async def _spend(self, action: str, most: int) -> bool:
        """Count one signal of this action, over all of its pods where it is recorded; False when it has had all."""
        self._spent[action] = self._spent.get(action, 0) + 1
        if self._spent[action] > most:
            return False
        try:
            changed = (await self._change(sql.SPEND, (action, most))).changed
        except DatabaseFault as fault:
            if fault.kind in _NOWHERE:
                return True
            raise
        return changed == 1

    async def _run(self, statement: str, arguments: object = None) -> Result:
        return await self._link.run(statement, arguments, within=CALL)

    async def _change(self, statement: str, arguments: object = None) -> Result:
        """Change a table of our own, outside the transaction by which the reader marks time."""
        await self._reader.unmark()
        return await self._run(statement, arguments)


def missing_of(grants: Sequence[str], admin: str) -> str:
    """What SHOW GRANTS does not show of what the acting role needs, as a sentence; "" when all is there."""
    if any(" ON " not in grant for grant in grants):
        return ""
    everywhere = " ".join(grant.partition(" ON ")[0].upper() for grant in grants if " ON *.* TO " in grant)
    if "ALL PRIVILEGES" in everywhere:
        return ""
    lacking = [name for name in ("PROCESS", admin) if name not in everywhere]
    if "SUPER" in everywhere:
        lacking = [name for name in lacking if name != admin]
    return f"the role that acts lacks {' and '.join(lacking)}" if lacking else ""


def _is_target(item: ServerSession, wanted: SessionId, aim: Aim) -> bool:
    if not is_same(wanted, item.id) or item.guard:
        return False
    if (item.user, item.database, item.state) != (aim.user, aim.database, aim.state):
        return False
    return item.state_seconds >= aim.seconds


def _is_on(value: object) -> bool:
    return str(value).upper() not in {"0", "OFF", "NONE", ""}
