"""refreshPool: give the application fresh connections, by one measure after the other, from the gentlest on.

Which limit is reached → sessions left in a transaction → the application's own hook → PgBouncer's RECONNECT → idle
sessions that are too old. If connections were short, it stops as soon as there are some again and nobody waits.
"""

from __future__ import annotations

from ultra_recovery.apis.database_action import RefreshPool
from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.core.database_session import ServerSession, SessionState
from ultra_recovery.core.session_choice import idle_sessions
from ultra_recovery.job_ports import Aim, DatabaseSession, PoolerConsole
from ultra_recovery.jobs.acting import acting, scope_of
from ultra_recovery.jobs.close_stale import close_transactions, report_prepared
from ultra_recovery.jobs.ending import end_stale
from ultra_recovery.jobs.pooler_clients import LOGIN
from ultra_recovery.jobs.room import Room, look_for_room
from ultra_recovery.jobs.work import Work

HOOK = 5.0
"""Seconds that a hook may take to answer."""
PACE = 1.0
"""Seconds between two idle sessions of one application: pools that check their connections get over one at a time."""
RENEWED = 10.0
"""Seconds for the connections of a pooler to be renewed; those inside long transactions come later by themselves."""
LOOK = 0.2
RESERVE = 3.0
"""Seconds before the end at which no other session is ended."""


async def refresh_pool(work: Work) -> str:
    """Carry the action out; a sentence about it."""
    action = work.request.action.refresh_pool
    if action is None:
        raise ValueError("not this action")
    async with acting(work) as session:
        first = await look_for_room(work, session)
        work.notes.saw(f"limits: {first.text}")
        message = await _measures(work, session, action, first)
        prepared = await report_prepared(work, session)
    return message + prepared


async def _measures(work: Work, session: DatabaseSession, action: RefreshPool, first: Room) -> str:
    closed = 0
    if work.request.app_user:
        closed = await close_transactions(work, session, action, action.idle_in_transaction_for)
    if closed and await _enough(work, session, first):
        return "ended sessions that were idle in a transaction; there is room again"
    if await _call_hooks(work, action) and await _enough(work, session, first):
        return "the application renewed its pool; there is room again"
    if await _reconnect(work) and await _enough(work, session, first):
        return "the pooler renewed its connections; there is room again"
    if work.request.app_user:
        await _end_idle(work, session, action, first)
    if not work.notes.changed:
        return f"nothing was found that a fresh pool would help against ({first.text})"
    last = await look_for_room(work, session)
    return f"the pool was refreshed; {last.text}"


async def _enough(work: Work, session: DatabaseSession, first: Room) -> bool:
    """Whether connections were short at first and are not any more."""
    return first.short and not (await look_for_room(work, session)).short


async def _call_hooks(work: Work, action: RefreshPool) -> bool:
    """Ask every ready pod to renew its pool; whether one did."""
    if action.hook is None:
        return False
    if not work.request.hooks:
        work.notes.saw("hook: no ready pod")
        return False
    done = 0
    for place in work.request.hooks:
        answer = await work.hooks.post(place, action.hook.path, work.request.id, min(HOOK, work.left))
        name = place.pod or place.host
        if answer.done:
            done += 1
            work.notes.did(f"hook of {name}: {answer.text}")
        else:
            work.notes.saw(f"hook of {name}: {answer.text}")
    return done > 0


async def _reconnect(work: Work) -> bool:
    """Let every replica of the pooler renew its connections; whether one did."""
    done = False
    for place in work.request.poolers:
        name = place.name
        try:
            console = await work.poolers.open(place, min(LOGIN, work.left))
        except DatabaseFault as fault:
            work.notes.saw(f"pooler {name}: {fault}")
            continue
        try:
            done = await _renew(work, console, name) or done
        except DatabaseFault as fault:
            work.notes.saw(f"pooler {name}: {fault}")
        finally:
            await console.close()
    return done


async def _renew(work: Work, console: PoolerConsole, name: str) -> bool:
    database = work.request.pooler_database
    found = await console.database(database)
    if found is None:
        work.notes.saw(f"pooler {name}: does not know database {database}")
        return False
    if found.paused:
        work.notes.saw(f"pooler {name}: somebody paused {database}; `RESUME {database}` ends that, we do not")
        return False
    if not await console.servers(database):
        work.notes.saw(f"pooler {name}: has no connection to renew")
        return False
    await console.reconnect(database)
    work.notes.did(f"pooler {name}: RECONNECT")
    end = min(work.clock.boottime() + RENEWED, work.until - RESERVE)
    while True:
        old = sum(item.close_needed for item in await console.servers(database))
        if not old:
            return True
        if work.clock.boottime() >= end:
            work.notes.saw(f"pooler {name}: {old} connections are renewed when their transactions end")
            return True
        await work.clock.sleep(LOOK)


async def _end_idle(work: Work, session: DatabaseSession, action: RefreshPool, first: Room) -> None:
    """End idle sessions that are too old, one per second and client, while there is time and need."""
    age = action.idle_for.total_seconds() if action.idle_for is not None else work.request.recycle_seconds
    if not age:
        return
    scope = scope_of(work, action)
    aim = Aim(scope.user, scope.database, SessionState.IDLE, age, action.max_sessions)
    waiting = idle_sessions(await session.sessions(), scope, age)[: action.max_sessions]
    ended = 0
    while waiting and work.left > RESERVE:
        turn, waiting = _one_of_each(waiting)
        ended += await end_stale(work, session, turn, aim)
        if await _enough(work, session, first):
            break
        if waiting:
            await work.clock.sleep(PACE)
    if ended or waiting:
        work.notes.saw(f"idle sessions of more than {age:.0f} s: {ended} ended, {len(waiting)} left")


def _one_of_each(sessions: list[ServerSession]) -> tuple[list[ServerSession], list[ServerSession]]:
    """The first session of each client, and the others."""
    first: dict[str, ServerSession] = {}
    for item in sessions:
        first.setdefault(item.address, item)
    turn = list(first.values())
    return turn, [item for item in sessions if item not in turn]
