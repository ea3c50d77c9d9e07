"""Reads sessions and transactions together, and proves that the list of transactions is not an old copy.

The server renews that list only when nobody has read it for 100 ms: where somebody else reads it faster, it shows the
same for ever. So our own session begins or ends a transaction first, and a reading counts only when it shows that.
"""

from __future__ import annotations

from typing import Any

from ultra_recovery.adapters.database import mysql_queries as sql
from ultra_recovery.adapters.database.mysql_link import MysqlLink
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.mysql_sessions import Process, Reading, Transaction
from ultra_recovery.ports import Clock

PAUSE = 0.15
"""Seconds before each look: one that comes earlier would itself keep the copy old."""
_LOOKS = 8
_CALL = 5.0


class MysqlReader:
    """Reads one server through one connection."""

    def __init__(self, link: MysqlLink, clock: Clock, hello: dict[str, Any], uptime: int) -> None:
        self._link = link
        self._clock = clock
        self.dialect = sql.Dialect(str(hello["version"]))
        self._own = int(hello["own"])
        self._own_user = str(hello["user"]).rpartition("@")[0]
        self._life = int(hello["now"]) - uptime
        self._names_known = str(hello["performance"]) in {"1", "ON"}
        self._blocking_known = True
        self._marked = self._shown = False

    @classmethod
    async def start(cls, link: MysqlLink, clock: Clock, within: float) -> MysqlReader:
        """Ask who is there, and set the session up.

        Raises:
            DatabaseFault: it was refused, or not answered in time.
        """
        hello = (await link.run(sql.HELLO, within=within)).rows[0]
        uptime = (await link.run(sql.UPTIME, within=within)).rows[0]["Value"]
        await link.run(sql.SETTINGS, within=within)
        return cls(link, clock, hello, int(uptime))

    async def unmark(self) -> None:
        """End the transaction that marks time, so that what follows is a transaction of its own."""
        if self._marked:
            await self._link.run(sql.UNMARK, within=_CALL)
            self._marked = False

    async def read(self) -> tuple[Reading, list[Transaction]]:
        """All sessions, each with its transaction; and all transactions, those without a session too.

        Raises:
            DatabaseFault: REFUSED when the server only shows an old copy.
        """
        transactions = await self._transactions()
        rows = (await self._link.run(self.dialect.processes, within=_CALL)).rows
        names, of_thread = await self._names(), {item.thread: item for item in transactions}
        processes = [_process(row, names, of_thread.get(int(row["id"]))) for row in rows]
        reading = Reading(self._life, self._own, self._own_user, processes, await self._blocking())
        return reading, [item for item in transactions if item.thread != self._own]

    async def _transactions(self) -> list[Transaction]:
        if self._marked is not self._shown:
            # What was changed without a look must be seen first: the next change could not be told from it.
            await self._until_shown()
        await self._link.run(sql.UNMARK if self._marked else sql.MARK, within=_CALL)
        self._marked = not self._marked
        return await self._until_shown()

    async def _until_shown(self) -> list[Transaction]:
        for _ in range(_LOOKS):
            await self._clock.sleep(PAUSE)
            rows = (await self._link.run(sql.TRANSACTIONS, within=_CALL)).rows
            found = [_transaction(row) for row in rows]
            if any(item.thread == self._own for item in found) is self._marked:
                self._shown = self._marked
                return found
        message = (
            "it only shows an old copy of information_schema.INNODB_TRX, because somebody reads that table more often "
            "than ten times a second: nobody can be ended by it. Find who does, and let it ask once a second"
        )
        raise DatabaseFault(FaultKind.REFUSED, message)

    async def _names(self) -> dict[int, str] | None:
        """Names of the programs by connection; None where the server does not tell them."""
        if not self._names_known:
            return None
        rows = await self._optional(sql.PROGRAMS)
        self._names_known = rows is not None
        return None if rows is None else {int(row["id"]): str(row["name"] or "") for row in rows}

    async def _blocking(self) -> dict[int, int]:
        """How many sessions wait for each connection; nothing where the server does not tell."""
        rows = await self._optional(self.dialect.blocking) if self._blocking_known else None
        self._blocking_known = rows is not None
        return {int(row["id"]): int(row["waiting"]) for row in rows or () if row["id"]}

    async def _optional(self, statement: str) -> list[dict[str, Any]] | None:
        try:
            return (await self._link.run(statement, within=_CALL)).rows
        except DatabaseFault as fault:
            if fault.kind in {FaultKind.RIGHTS, FaultKind.REFUSED}:
                return None
            raise


def _transaction(row: dict[str, Any]) -> Transaction:
    return Transaction(
        id=int(row["id"] or 0),
        thread=int(row["thread"] or 0),
        state=str(row["state"] or ""),
        started=str(row["started"] or ""),
        seconds=float(row["seconds"] or 0),
        rows=int(row["changed"] or 0),
    )


def _process(row: dict[str, Any], names: dict[int, str] | None, transaction: Transaction | None) -> Process:
    number = int(row["id"])
    return Process(
        id=number,
        user=str(row["user"] or ""),
        host=str(row["host"] or ""),
        database=str(row["db"] or ""),
        command=str(row["command"] or ""),
        seconds=float(row["seconds"] or 0),
        status=str(row["status"] or ""),
        statement=str(row["statement"] or ""),
        query_id=None if row["query_id"] is None else int(row["query_id"]),
        program=None if names is None else names.get(number, ""),
        transaction=transaction,
    )
