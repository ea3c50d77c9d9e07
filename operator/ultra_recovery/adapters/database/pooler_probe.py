"""One look at PgBouncer: the console of every replica, each at its own address."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultra_recovery.adapters.database.access import Access, ServerFault
from ultra_recovery.adapters.database.libpq import Connection, login
from ultra_recovery.adapters.database.logins import Login
from ultra_recovery.apis.database import PoolerFigures
from ultra_recovery.core.database_errors import FaultClass
from ultra_recovery.core.database_request import Place

CONSOLE = "pgbouncer"
"""Name of the database that is the console."""


class ConsoleRefused(Exception):  # noqa: N818 - what the console did
    """A console refused the user or its password."""


@dataclass(frozen=True, slots=True)
class Replica:
    """What one replica says of the database."""

    active: int
    idle: int
    waiting: int
    longest_wait: int
    pool_size: int
    login_retry: int
    paused: bool


async def look_at_poolers(places: Sequence[Place], user: Login, database: str, within: float) -> PoolerFigures:
    """Ask every replica at once.

    Raises:
        ConsoleRefused: at least one refused the login.
    """
    found = await asyncio.gather(*(_look(place, user, database, within) for place in places), return_exceptions=True)
    if any(isinstance(item, ServerFault) and item.row.kind is FaultClass.REFUSED for item in found):
        raise ConsoleRefused
    replicas = [item for item in found if isinstance(item, Replica)]
    return PoolerFigures(
        replicas=len(replicas),
        unreachable=len(places) - len(replicas),
        active=sum(item.active for item in replicas),
        idle=sum(item.idle for item in replicas),
        waiting=sum(item.waiting for item in replicas),
        longest_wait_seconds=max((item.longest_wait for item in replicas), default=0),
        pool_size=max((item.pool_size for item in replicas), default=0),
        login_retry_seconds=max((item.login_retry for item in replicas), default=0),
        paused=any(item.paused for item in replicas),
    )


async def _look(place: Place, user: Login, database: str, within: float) -> Replica:
    async with asyncio.timeout(within):
        async with login(Access(place.host, place.port, *user, CONSOLE)) as connection:
            pools = await _show(connection, "SHOW POOLS")
            databases = await _show(connection, "SHOW DATABASES")
            config = {str(row["key"]): row["value"] for row in await _show(connection, "SHOW CONFIG")}
    pools = [row for row in pools if row["database"] == database]
    own: Mapping[str, object] = next((row for row in databases if row["name"] == database), {})
    return Replica(
        active=_sum(pools, "sv_active"),
        idle=_sum(pools, "sv_idle") + _sum(pools, "sv_used"),
        waiting=_sum(pools, "cl_waiting"),
        longest_wait=max((_number(row.get("maxwait")) for row in pools), default=0),
        pool_size=_number(own.get("pool_size")) or _number(config.get("default_pool_size")),
        login_retry=_number(config.get("server_login_retry")),
        paused=_number(own.get("paused")) > 0,
    )


async def _show(connection: Connection, command: str) -> list[dict[str, object]]:
    cursor = await connection.execute(command.encode())
    return await cursor.fetchall()


def _sum(rows: Sequence[Mapping[str, object]], column: str) -> int:
    return sum(_number(row.get(column)) for row in rows)


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0
