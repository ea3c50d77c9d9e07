"""One look at a MySQL or MariaDB server: a full login, and a few queries, in a thread of a bounded pool.

innodb_trx is served from a cache that is renewed only when nobody read it for 100 ms: asked faster, it shows the same
for ever. A breaker is probed once a second at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from ultra_recovery.adapters.database.access import Access, Seen, ServerFault
from ultra_recovery.adapters.database.mysql_login import (
    NONSENSE,
    Wire,
    encryption_of,
    network_error,
    number_of,
    row_of_network,
)
from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_errors import FaultClass, Row, fault_of_mysql
from ultra_recovery.ports import Clock

THREADS = 64
"""Servers that are looked at at once; the others wait, within their own time."""
_NONSENSE = Row("", FaultClass.OTHER, NONSENSE)
_NO_RIGHT = frozenset({1227, 1142})

_SERVER = """
SELECT @@GLOBAL.max_connections AS max_connections, @@GLOBAL.max_user_connections AS user_limit,
       @@GLOBAL.read_only OR @@GLOBAL.innodb_read_only AS read_only, VERSION() AS version
"""
_CONNECTED = "SHOW GLOBAL STATUS LIKE 'Threads_connected'"
_SESSIONS = """
SELECT COUNT(*) AS sessions,
       SUM(p.COMMAND = 'Sleep' AND t.trx_id IS NOT NULL) AS idle_in_transaction,
       MAX(IF(p.COMMAND = 'Sleep' AND t.trx_id IS NOT NULL, p.TIME, 0)) AS oldest_idle,
       MAX(TIMESTAMPDIFF(SECOND, t.trx_started, NOW())) AS transaction,
       MAX(IF(p.COMMAND IN ('Query', 'Execute'), p.TIME, 0)) AS query,
       SUM(t.trx_state = 'LOCK WAIT') AS blocked
FROM information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID
WHERE p.ID <> CONNECTION_ID() AND p.DB = DATABASE() AND (%(user)s IS NULL OR p.USER = %(user)s)
"""
_OF_USER = "SELECT COUNT(*) AS used FROM information_schema.PROCESSLIST WHERE USER = %s AND ID <> CONNECTION_ID()"


class MysqlLooker:
    """Looks at servers. What a thread still does after the deadline ends at once: its connection is shut."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "mysql-probe")

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def look(self, access: Access, within: float) -> Seen:
        """Log in, ask and leave; the whole of it has `within` seconds.

        Raises:
            ServerFault: the server said no, or cannot be reached.
            TimeoutError: it did not answer in time.
            SpecError: the certificate to check it by cannot be read.
        """
        look = _Look(access, within, self._clock, encryption_of(access))
        try:
            async with asyncio.timeout(within):
                return await asyncio.get_running_loop().run_in_executor(self._threads, look.run)
        except TimeoutError:
            raise
        except pymysql.MySQLError as error:
            raise ServerFault(_of_server(error)) from None
        except OSError as error:
            raise ServerFault(row_of_network(error)) from None
        except ServerFault:
            raise
        except Exception:  # noqa: BLE001 - a server that answers nonsense makes the library raise anything
            raise ServerFault(_NONSENSE) from None
        finally:
            look.cut()


class _Look:
    """One look, in one thread; `cut` comes from another."""

    def __init__(self, access: Access, within: float, clock: Clock, encryption: ssl.SSLContext | None) -> None:
        self._access = access
        self._within = within
        self._clock = clock
        self._encryption = encryption
        self._wire = Wire(access)

    def cut(self) -> None:
        """End the connection, whatever the thread waits for."""
        self._wire.cut()

    def run(self) -> Seen:
        """Connect, ask, leave."""
        if self._wire.over:
            raise TimeoutError
        login = self._wire.log_in(self._encryption, self._within, self._within)
        with contextlib.closing(login) as connection, connection.cursor(DictCursor) as cursor:
            return self._ask(cursor)

    def _ask(self, cursor: DictCursor) -> Seen:
        # InnoDB tells times in the zone of the machine, whatever the server's own zone is.
        cursor.execute("SET SESSION time_zone = 'SYSTEM'")
        server = _one(cursor, _SERVER)
        connected = _number(_one(cursor, _CONNECTED).get("Value")) - 1
        limit, blind, sessions = _number(server["max_connections"]), False, {}
        free = limit - connected
        try:
            sessions = _one(cursor, _SESSIONS, {"user": self._access.app_user})
            free = min(free, *self._of_user(cursor, _number(server["user_limit"])))
        except pymysql.MySQLError as error:
            if error.args[:1] and error.args[0] not in _NO_RIGHT:
                raise
            blind = True
        figures = PoolFigures(
            at=self._clock.now(),
            limit=limit,
            used=max(connected, 0),
            free=free,
            idle_in_transaction=_number(sessions.get("idle_in_transaction")),
            oldest_idle_seconds=_number(sessions.get("oldest_idle")),
            longest_transaction_seconds=_number(sessions.get("transaction")),
            longest_query_seconds=_number(sessions.get("query")),
            blocked=_number(sessions.get("blocked")),
            blind=blind,
        )
        return Seen(bool(_number(server["read_only"])), figures)

    def _of_user(self, cursor: DictCursor, limit: int) -> list[int]:
        """What max_user_connections leaves to the application, where it is set."""
        user = self._access.app_user
        if not limit or user is None:
            return [_NO_LIMIT]
        return [limit - _number(_one(cursor, _OF_USER, (user,))["used"])]


_NO_LIMIT = 1_000_000


def _one(cursor: DictCursor, query: str, arguments: object = None) -> dict[str, Any]:
    cursor.execute(query, arguments)
    return dict(cursor.fetchone() or {})


def _number(value: object) -> int:
    try:
        return int(str(value)) if value is not None else 0
    except ValueError:
        return 0


def _of_server(error: pymysql.MySQLError) -> Row:
    """What an error of the library means; it wraps those of the network."""
    cause = network_error(error)
    if cause is not None:
        return row_of_network(cause)
    number, words = number_of(error)
    return fault_of_mysql(number, words) if number else _NONSENSE
