"""Whom the connections of a pooler serve: on the server, all of them seem to come from the pooler."""

from __future__ import annotations

from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.core.pooler_figures import PoolerServer
from ultra_recovery.jobs.work import Work

LOGIN = 3.0
"""Seconds that the login to a console may take."""


async def clients_by_pid(work: Work) -> dict[int, str]:
    """Address of the real client by process id on the server, for connections of the pooler that are in use now.

    A replica that does not answer is left out: the pooler then stands for its clients.
    """
    return {item.pid: item.client for item in await pooler_servers(work) if item.client}


async def pooler_servers(work: Work) -> list[PoolerServer]:
    """Connections of all replicas to the server; those of a replica that does not answer are missing."""
    found: list[PoolerServer] = []
    for place in work.request.poolers:
        try:
            console = await work.poolers.open(place, min(LOGIN, work.left))
        except DatabaseFault:
            continue
        try:
            found.extend(await console.servers(work.request.pooler_database))
        except DatabaseFault:
            continue
        finally:
            await console.close()
    return found
