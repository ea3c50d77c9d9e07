"""Whether connections are short, and which limit makes them so."""

from __future__ import annotations

from dataclasses import dataclass

from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.job_ports import DatabaseSession
from ultra_recovery.jobs.pooler_clients import LOGIN
from ultra_recovery.jobs.work import Work

FEW = 3
"""Free connections at which they are short, or a tenth of the limit if that is more."""


@dataclass(frozen=True, slots=True)
class Room:
    """What was found.

    Attributes:
        short: whether a limit is reached or nearly so, or clients wait in the pooler.
        text: the figures in a few words.
    """

    short: bool
    text: str


async def look_for_room(work: Work, session: DatabaseSession) -> Room:
    """Look at every limit that a connection of the application may run into, the pooler's included."""
    short, parts = False, []
    for limit in await session.limits(work.request.app_user or "", work.request.database):
        parts.append(f"{limit.name} {limit.used}/{limit.most}")
        # A small limit of a role is no shortage before it is reached.
        few = max(FEW, limit.most // 10) if limit.most > 2 * FEW else 1
        short = short or limit.most - limit.used < few
    waiting, pooler = await _waiting(work)
    return Room(short or waiting > 0, ", ".join([*parts, *pooler]))


async def _waiting(work: Work) -> tuple[int, list[str]]:
    """Clients that wait in all replicas of the pooler."""
    waiting, parts = 0, []
    for place in work.request.poolers:
        try:
            console = await work.poolers.open(place, min(LOGIN, work.left))
        except DatabaseFault:
            parts.append(f"pooler {place.pod or place.host} does not answer")
            continue
        try:
            found = await console.database(work.request.pooler_database)
        except DatabaseFault:
            continue
        finally:
            await console.close()
        if found is not None:
            waiting += found.waiting
            used = f"{found.active}/{found.size * max(found.pools, 1)}"
            parts.append(f"pooler {place.pod or place.host} {used} with {found.waiting} waiting")
    return waiting, parts
