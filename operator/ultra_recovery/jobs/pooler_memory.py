"""How long poolers remember that a login on the server failed, made short for a moment.

Until that time is over a pooler turns clients away although the server is back, and each user of a database has a
memory of its own: that of the application cannot be seen from outside. So it is made short wherever it is long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.job_ports import PoolerConsole
from ultra_recovery.jobs.pooler_setting import noted_swap, swap, value_of
from ultra_recovery.jobs.work import Work

LOGIN_RETRY = "server_login_retry"
SHORT = 1
"""Seconds for which a failed login is remembered meanwhile."""
LOGIN = 3.0
"""Seconds that the login to a console may take."""


@asynccontextmanager
async def short_memory(work: Work, places: Sequence[Place]) -> AsyncIterator[list[Place]]:
    """Make it short at all of these replicas, and as it was when the block ends; those where that was possible."""
    changed: dict[int, int] = {}
    try:
        await asyncio.gather(*(_shorten(work, number, place, changed) for number, place in enumerate(places)))
        yield [places[number] for number in changed]
    finally:
        await asyncio.gather(*(_set_back(work, places[number], before) for number, before in changed.items()))


async def _shorten(work: Work, number: int, place: Place, changed: dict[int, int]) -> None:
    """Make it short at one replica; its old value goes to `changed` before it is changed."""
    try:
        console = await work.poolers.open(place, min(LOGIN, work.left))
    except DatabaseFault as fault:
        work.notes.saw(f"console of pooler {place.name}: {fault}")
        return
    try:
        before = await _old_value(work, console, place)
        if before is None:
            return
        changed[number] = before
        await noted_swap(work.notes, console, LOGIN_RETRY, before, SHORT)
        work.notes.did(f"pooler {place.name}: {LOGIN_RETRY} {before} → {SHORT}")
    except DatabaseFault as fault:
        if fault.kind is FaultKind.RIGHTS:
            changed.pop(number, None)
        work.notes.saw(f"console of pooler {place.name}: {fault}")
    finally:
        await console.close()


async def _old_value(work: Work, console: PoolerConsole, place: Place) -> int | None:
    """The value that is made short and will be set again; None where it must be left alone."""
    database = await console.database(work.request.pooler_database)
    if database is not None and database.paused:
        work.notes.saw(
            f"pooler {place.name}: somebody paused {work.request.pooler_database}; only they know when to resume"
        )
        return None
    present = await value_of(console, LOGIN_RETRY)
    before = work.request.size_before if work.request.size_before is not None else present
    # It is short already where an earlier pod of this Job was killed: it is set back all the same.
    if before > SHORT and present in {before, SHORT}:
        return before
    work.notes.saw(f"pooler {place.name}: {LOGIN_RETRY} is {present}, which was left alone")
    return None


async def _set_back(work: Work, place: Place, before: int) -> None:
    """The old value again, over a connection of its own: the other one may have been lost."""
    try:
        console = await work.poolers.open(place, LOGIN)
    except DatabaseFault as fault:
        work.notes.saw(f"pooler {place.name}: {LOGIN_RETRY} could not be set back: {fault}")
        return
    try:
        now = await swap(console, LOGIN_RETRY, SHORT, before)
        work.notes.saw(f"pooler {place.name}: {LOGIN_RETRY} {now.value} again")
    except DatabaseFault as fault:
        work.notes.saw(f"pooler {place.name}: {LOGIN_RETRY} could not be set back: {fault}")
    finally:
        await console.close()
