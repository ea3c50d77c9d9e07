"""One connection to a MySQL or MariaDB server: a thread that speaks, and a deadline on this side around every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pymysql
from pymysql.cursors import DictCursor

from ultra_recovery.adapters.database.access import Access
from ultra_recovery.adapters.database.mysql_login import (
    NONSENSE,
    Wire,
    encryption_of,
    network_error,
    number_of,
    row_of_network,
)
from ultra_recovery.core.database_errors import FaultClass, fault_of_mysql
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind

_T = TypeVar("_T")
_RIGHTS = frozenset({1095, 1142, 1143, 1146, 1227, 1370})
"""Something that was not granted, or was never installed; at a login it is the database that is refused."""
_KINDS = {
    FaultClass.EXHAUSTED: FaultKind.EXHAUSTED,
    FaultClass.REFUSED: FaultKind.CREDENTIALS,
    FaultClass.ENCRYPTION: FaultKind.CREDENTIALS,
    FaultClass.WRONG_NODE: FaultKind.WRONG_NODE,
    FaultClass.OTHER: FaultKind.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of a statement, and how many it changed."""

    rows: list[dict[str, Any]]
    changed: int = 0


class MysqlLink:
    """A connection that is never used again after a deadline: what the server was doing then is not known."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._threads = ThreadPoolExecutor(1, "mysql")
        self._connection: pymysql.Connection[Any] | None = None
        self._wire = Wire(access)

    async def open(self, within: float) -> None:
        """Log in.

        Raises:
            DatabaseFault: it was not possible.
        """
        await self._call(lambda: self._connect(within), within, FaultKind.UNREACHABLE)

    async def run(self, statement: str, arguments: object = None, *, within: float) -> Result:
        """Run one statement.

        Raises:
            DatabaseFault: it was refused, not answered in time, or the connection was lost.
        """
        if self._wire.over:
            raise DatabaseFault(FaultKind.LOST, "the connection was lost before")
        return await self._call(lambda: self._execute(statement, arguments), within, FaultKind.LOST)

    async def close(self) -> None:
        """End it at once; whatever its thread waits for ends with it."""
        self._wire.cut()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, work: Callable[[], _T], within: float, lost: FaultKind) -> _T:
        try:
            async with asyncio.timeout(within):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            reached = self._wire.reached
            self._wire.cut()
            kind = FaultKind.FROZEN if reached else FaultKind.UNREACHABLE
            raise DatabaseFault(kind, f"no answer within {within:.0f} s") from None
        except asyncio.CancelledError:
            self._wire.cut()
            raise
        except pymysql.MySQLError as error:
            raise self._fault(error, lost) from None
        except OSError as error:
            self._wire.cut()
            raise _network(error, lost) from None
        except Exception:  # noqa: BLE001 - a server that answers nonsense makes the library raise anything
            self._wire.cut()
            raise DatabaseFault(FaultKind.REFUSED, NONSENSE) from None

    def _connect(self, within: float) -> None:
        self._connection = self._wire.log_in(encryption_of(self._access), within)

    def _execute(self, statement: str, arguments: object) -> Result:
        if self._connection is None:
            raise ConnectionError
        with self._connection.cursor(DictCursor) as cursor:
            changed = cursor.execute(statement, arguments)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                pass
            return Result(rows, int(changed))

    def _fault(self, error: pymysql.MySQLError, lost: FaultKind) -> DatabaseFault:
        """What an error of the library means; it wraps those of the network."""
        cause = network_error(error)
        if cause is not None:
            self._wire.cut()
            return _network(cause, lost)
        number, words = number_of(error)
        row = fault_of_mysql(number, words)
        kind = _KINDS.get(row.kind, lost)
        if kind is lost:
            self._wire.cut()
        if number in _RIGHTS or (number in {1044, 1049} and lost is FaultKind.LOST):
            kind = FaultKind.RIGHTS
        return DatabaseFault(kind, row.sentence, str(number) if number else "")


def _network(error: OSError, lost: FaultKind) -> DatabaseFault:
    row = row_of_network(error)
    return DatabaseFault(_KINDS.get(row.kind, lost), row.sentence)
