"""One look at PgBouncer: the console of every replica, each at its own address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ultra_recovery.adapters.database.access import Access, ServerFault
from ultra_recovery.adapters.database.libpq import Connection, login
from ultra_recovery.adapters.database.logins import Login
from ultra_recovery.apis.database import PoolerFigures
from ultra_recovery.core.database_errors import FaultClass
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.pooler_figures import CONSOLE, PoolerDatabase, databases_of, number_of


class ConsoleRefused(Exception):  # noqa: N818 - what the console did
    """A console refused the user or its password."""


@dataclass(frozen=True, slots=True)
class Replica:
    """What one replica says of the database, and how long it remembers a failed login, in seconds."""

    database: PoolerDatabase
    login_retry: int


async def look_at_poolers(places: Sequence[Place], user: Login, database: str, within: float) -> PoolerFigures:
    """Ask every replica at once.

    Raises:
        ConsoleRefused: at least one refused the login.
    """
    found = await asyncio.gather(*(_look(place, user, database, within) for place in places), return_exceptions=True)
    if any(isinstance(item, ServerFault) and item.row.kind is FaultClass.REFUSED for item in found):
        raise ConsoleRefused
    replicas = [item for item in found if isinstance(item, Replica)]
    own = [item.database for item in replicas]
    return PoolerFigures(
        replicas=len(replicas),
        unreachable=len(places) - len(replicas),
        active=sum(item.active for item in own),
        idle=sum(item.idle for item in own),
        waiting=sum(item.waiting for item in own),
        longest_wait_seconds=max((int(item.longest_wait) for item in own), default=0),
        pool_size=max((item.size for item in own), default=0),
        login_retry_seconds=max((item.login_retry for item in replicas), default=0),
        paused=any(item.paused for item in own),
    )


async def _look(place: Place, user: Login, database: str, within: float) -> Replica:
    async with asyncio.timeout(within):
        async with login(Access(place.host, place.port, *user, CONSOLE)) as connection:
            pools = await _show(connection, "SHOW POOLS")
            databases = await _show(connection, "SHOW DATABASES")
            config = {str(row["key"]): row["value"] for row in await _show(connection, "SHOW CONFIG")}
    size = number_of(config.get("default_pool_size"))
    known = databases_of(pools, databases).get(database, PoolerDatabase(size, pools=0))
    return Replica(replace(known, size=known.size or size), number_of(config.get("server_login_retry")))


async def _show(connection: Connection, command: str) -> list[dict[str, object]]:
    cursor = await connection.execute(command.encode())
    return await cursor.fetchall()
