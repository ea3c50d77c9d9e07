"""Taking back what an action set for a while: only where its value is still there, never over somebody else's."""

from __future__ import annotations

from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.core.database_request import Engine, Part, Place
from ultra_recovery.jobs.acting import open_acting
from ultra_recovery.jobs.pooler_clients import LOGIN
from ultra_recovery.jobs.pooler_memory import LOGIN_RETRY
from ultra_recovery.jobs.pooler_setting import swap
from ultra_recovery.jobs.raise_pool import SIZE
from ultra_recovery.jobs.work import JobFailed, NothingDone, Work

_TRIES = 5
_PAUSE = 2.0


async def undo(work: Work) -> str:
    """Set the old value again; for RestoreLater after a while, or at once when this pod has to go.

    Raises:
        JobFailed: it is not known whether the old value is set.
    """
    request = work.request
    if request.size_before is None or request.size_after is None:
        raise NothingDone("nothing is known that would have to be set again")
    if request.part is Part.RESTORE_LATER:
        await _wait(work)
    if request.has_pooler:
        return await _undo_poolers(work, request.size_before, request.size_after)
    if request.action.raise_pool_size is not None and request.engine is Engine.MYSQL:
        return await _undo_server(work, request.size_before, request.size_after)
    raise NothingDone("nothing was set that would have to be set again")


async def _wait(work: Work) -> None:
    """Until the time to restore has come. Being told to stop is that time too: nobody else would come for it."""
    request = work.request
    seconds = float(request.restore_after_seconds)
    if request.restore_at is not None:
        seconds = min(seconds, (request.restore_at - work.clock.now()).total_seconds())
    await work.sleep_or_stop(seconds)


async def _undo_server(work: Work, before: int, after: int) -> str:
    session = await open_acting(work)
    try:
        now = await session.swap_limit(after, before)
    finally:
        await session.close()
    if now != before:
        raise NothingDone(f"the server's limit is {now} and not {after}: somebody else changed it, it was left alone")
    work.notes.did(f"server: {after} → {before}")
    return f"the server's limit is {before} again"


async def _undo_poolers(work: Work, before: int, after: int) -> str:
    name = SIZE if work.request.action.raise_pool_size is not None else LOGIN_RETRY
    done = failed = 0
    for place in work.request.poolers:
        outcome = await _undo_patiently(work, place, name, before, after)
        done += outcome is True
        failed += outcome is None
    if failed:
        message = f"{failed} replicas of the pooler did not answer: whoever is still there keeps {name} {after}"
        raise JobFailed(f"{message}, until its file is read again (RELOAD)")
    if not done:
        raise NothingDone(f"{name} was nowhere {after} any more: nothing had to be set again")
    return f"{name} is {before} again at {done} replicas"


async def _undo_patiently(work: Work, place: Place, name: str, before: int, after: int) -> bool | None:
    outcome = await _undo_one(work, place, name, before, after)
    tries = 1
    while outcome is None and tries < _TRIES and work.left > _PAUSE:
        await work.sleep_or_stop(_PAUSE)
        outcome = await _undo_one(work, place, name, before, after)
        tries += 1
    return outcome


async def _undo_one(work: Work, place: Place, name: str, before: int, after: int) -> bool | None:
    """Whether the old value was set at one replica; None when it did not answer."""
    try:
        console = await work.poolers.open(place, min(LOGIN, max(work.left, 1.0)))
    except DatabaseFault:
        return None
    try:
        now = await swap(console, name, after, before)
        if not now.done:
            work.notes.saw(f"pooler {place.name}: {name} is {now.value}, not {after}; it was left alone")
            return False
        work.notes.did(f"pooler {place.name}: {name} {after} → {before}")
        if name == SIZE:
            # A smaller size closes nothing by itself.
            await console.reconnect(work.request.pooler_database)
    except DatabaseFault:
        return None
    finally:
        await console.close()
    return True
