"""One connection by libpq on which every statement has a deadline, whatever the other side does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import psycopg

from ultra_recovery.adapters.database.access import Access, ServerFault
from ultra_recovery.adapters.database.libpq import Connection, login
from ultra_recovery.core.database_errors import FaultClass, Row, fault_of_postgres
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind

STATEMENT = 5.0
"""Seconds that one statement may take."""
_TOUCH = 1.0
_LAST_WORD = 1.0

_LOGIN_KINDS = {
    FaultClass.RETRYABLE: FaultKind.UNREACHABLE,
    FaultClass.EXHAUSTED: FaultKind.EXHAUSTED,
    FaultClass.REFUSED: FaultKind.CREDENTIALS,
    FaultClass.WRONG_NODE: FaultKind.WRONG_NODE,
    FaultClass.ENCRYPTION: FaultKind.CREDENTIALS,
    FaultClass.OTHER: FaultKind.REFUSED,
}
_STATEMENT_KINDS = {**_LOGIN_KINDS, FaultClass.RETRYABLE: FaultKind.LOST, FaultClass.REFUSED: FaultKind.RIGHTS}
_NOT_INSTALLED = frozenset({"42P01", "42883", "3F000"})
_OURS = "recovery: "
"""How messages of our own functions begin: they hold names only, and are passed on."""


class Line:
    """An open connection."""

    def __init__(self, connection: Connection, stack: AsyncExitStack) -> None:
        self._connection = connection
        self._stack = stack

    @classmethod
    async def open(cls, access: Access, within: float) -> Line:
        """Log in, within so many seconds.

        Raises:
            DatabaseFault: it was not possible; FROZEN where only the connection was accepted.
        """
        stack = AsyncExitStack()
        try:
            async with asyncio.timeout(within):
                connection = await stack.enter_async_context(login(access))
        except ServerFault as fault:
            raise DatabaseFault(_LOGIN_KINDS[fault.row.kind], fault.row.sentence, fault.row.code) from None
        except TimeoutError:
            if await _accepts(access):
                message = f"it accepts connections and let nobody in for {within:.1f} s"
                raise DatabaseFault(FaultKind.FROZEN, message) from None
            raise DatabaseFault(FaultKind.UNREACHABLE, f"no answer within {within:.1f} s") from None
        return cls(connection, stack)

    async def close(self) -> None:
        """Close it, by this side alone."""
        with contextlib.suppress(psycopg.Error, ServerFault):
            await self._stack.aclose()

    async def ask(self, text: str, values: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Run one statement; its rows, none for a command.

        Raises:
            DatabaseFault: it failed, or was not answered in time: then this connection is closed.
        """
        task = asyncio.ensure_future(self._run(text, values))
        try:
            done, _ = await asyncio.wait({task}, timeout=STATEMENT)
        except asyncio.CancelledError:
            # Broken off between two answers the connection would be of no use for setting anything back.
            await asyncio.wait({task}, timeout=_LAST_WORD)
            await self._give_up(task)
            raise
        if not done:
            await self._give_up(task)
            raise DatabaseFault(FaultKind.LOST, f"no answer to a statement within {STATEMENT:.0f} s")
        return task.result()

    async def _give_up(self, task: asyncio.Task[list[dict[str, Any]]]) -> None:
        """End what is under way. Cancelled alone, it would wait for the server to say that it has stopped."""
        if not task.done():
            self._connection.pgconn.finish()
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, DatabaseFault, psycopg.Error):
            await task

    async def _run(self, text: str, values: Mapping[str, object] | None) -> list[dict[str, Any]]:
        try:
            cursor = await self._connection.execute(text.encode(), values)
            return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise _fault(error) from None


def _fault(error: psycopg.Error) -> DatabaseFault:
    code = error.sqlstate or ""
    words = error.diag.message_primary or ""
    row: Row = fault_of_postgres(code, words)
    if code in _NOT_INSTALLED:
        return DatabaseFault(FaultKind.RIGHTS, "a table or function of ours is not installed", code)
    if words.startswith(_OURS):
        return DatabaseFault(FaultKind.RIGHTS, words.removeprefix(_OURS)[:300], code)
    if not code:
        return DatabaseFault(FaultKind.LOST, "the connection was lost")
    return DatabaseFault(_STATEMENT_KINDS[row.kind], row.sentence, code)


async def _accepts(access: Access) -> bool:
    """Whether the machine accepts a connection at least."""
    try:
        async with asyncio.timeout(_TOUCH):
            _, writer = await asyncio.open_connection(access.host, access.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
