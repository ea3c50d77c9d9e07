"""raisePoolSize: let more connections through for a while, within what the server and all applications can bear.

Every change is by compare-and-swap, and so is the way back: a value that somebody else has set meanwhile stays.
"""

from __future__ import annotations

from ultra_recovery.core.connection_budget import OWN, fits, is_enough
from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.core.database_request import Engine, Place
from ultra_recovery.job_ports import DatabaseSession, PoolerConsole
from ultra_recovery.jobs.acting import acting, begin
from ultra_recovery.jobs.pooler_clients import LOGIN, pooler_servers
from ultra_recovery.jobs.pooler_setting import noted_swap, swap, value_of
from ultra_recovery.jobs.work import NothingDone, Work

SIZE = "default_pool_size"


async def raise_pool(work: Work) -> str:
    """Carry the action out; a sentence about it."""
    request = work.request
    before, after = request.size_before, request.size_after
    if before is None or after is None or after <= before:
        raise NothingDone("the present size of the pool is not known, so it was not raised")
    if request.room.undeclared:
        names = ", ".join(request.room.undeclared)
        message = (
            f"these policies depend on breaker {request.breaker} and do not say how large their pools are: {names}"
        )
        raise NothingDone(f"{message}. Set dependencies[].pool there, so that the budget can be checked")
    if not request.has_pooler and request.engine is Engine.POSTGRES:
        message = "PostgreSQL takes a higher max_connections only with a restart, and the breaker names no pooler"
        raise NothingDone(f"{message}: nothing was raised")
    async with acting(work) as session:
        if request.has_pooler:
            return await _raise_poolers(work, session, before, after)
        return await _raise_server(work, session, before, after)


async def _raise_server(work: Work, session: DatabaseSession, before: int, after: int) -> str:
    others = sum(item.user != work.request.app_user for item in await session.sessions())
    declared = work.request.room.declared
    if is_enough(before, declared, others):
        message = (
            f"the server accepts {before} connections, declared pools open {declared}, others {others} and we {OWN}"
        )
        raise NothingDone(f"{message}: somebody opens more than was declared, and more room would not help")
    await begin(work, session)
    now = await session.swap_limit(before, after)
    if now != after:
        raise NothingDone(f"the server's limit is {now} and not {before}: somebody else changed it, it was left alone")
    work.notes.did(f"server: {before} → {after}")
    return f"the server accepts {after} connections now, {before} before"


async def _raise_poolers(work: Work, session: DatabaseSession, before: int, after: int) -> str:
    if not work.request.poolers:
        raise NothingDone("the pooler has no ready pod")
    await _check_budget(work, session, after)
    await begin(work, session)
    raised = 0
    for place in work.request.poolers:
        raised += await _on(work, place, before, after)
    if not raised:
        raise NothingDone("no pool was raised: " + "; ".join(work.notes.measures))
    return f"pools of {raised} replicas may have {after} connections now, {before} before"


async def _check_budget(work: Work, session: DatabaseSession, after: int) -> None:
    """Whether the server can bear it when every pool of every replica is full.

    What applications open past the pooler counts by what they declare, as soon as one session of theirs is seen there.

    Raises:
        NothingDone: it cannot, or that is not known.
    """
    total = 0
    for place in work.request.poolers:
        try:
            console = await work.poolers.open(place, min(LOGIN, work.left))
            try:
                databases = await console.databases()
            finally:
                await console.close()
        except DatabaseFault as fault:
            name = place.pod or place.host
            raise NothingDone(f"pooler {name} does not answer ({fault}), so the budget is not known") from fault
        total += sum(item.pools * max(item.size, after) for item in databases.values())
    pooled = {item.pid for item in await pooler_servers(work)}
    direct = [item for item in await session.sessions() if item.id.pid not in pooled]
    own = [item for item in direct if item.user == work.request.app_user]
    others = len(direct) - len(own) + (max(len(own), work.request.room.declared) if own else 0)
    server, *narrower = await session.limits(work.request.app_user or "", work.request.database)
    if not fits(total, 1, server.most, others):
        message = f"full pools would open {total} connections, others need {others} and we {OWN}"
        raise NothingDone(f"no room: {message}; the server accepts {server.most}. Nothing was raised")
    for limit in narrower:
        if total + len(own) > limit.most:
            message = f"full pools would open {total} connections; the limit of {limit.name} is {limit.most}"
            raise NothingDone(f"no room: {message}. Nothing was raised")
    work.notes.saw(f"budget: {total} + {others} + {OWN} of {server.most}")


async def _on(work: Work, place: Place, before: int, after: int) -> int:
    """Raise the size at one replica; 1 if it was."""
    name, database = place.name, work.request.pooler_database
    try:
        console = await work.poolers.open(place, min(LOGIN, work.left))
    except DatabaseFault as fault:
        work.notes.saw(f"pooler {name}: {fault}")
        return 0
    try:
        found = await console.database(database)
        if found is None or found.size != before or await value_of(console, SIZE) != before:
            work.notes.saw(f"pooler {name}: {await _other(console, database, before)}")
            return 0
        now = await noted_swap(work.notes, console, SIZE, before, after)
        changed = await console.database(database)
        if now.done and changed is not None and changed.size == after:
            work.notes.did(f"pooler {name}: {SIZE} {before} → {after}")
            return 1
        await swap(console, SIZE, after, before)
        work.notes.saw(f"pooler {name}: {database} has a pool_size of its own in the file, which only its file changes")
    except DatabaseFault as fault:
        work.notes.saw(f"pooler {name}: {fault}")
    finally:
        await console.close()
    return 0


async def _other(console: PoolerConsole, database: str, before: int) -> str:
    found = await console.database(database)
    if found is None:
        return f"does not know database {database}"
    default = await value_of(console, SIZE)
    if found.size != default:
        return f"{database} has a pool_size of its own, {found.size}, which only its file changes"
    return f"the size is {found.size} and not {before}: somebody else changed it, it was left alone"
