"""reconnectDatabase: find out whether the server can be reached, mend a pooler that still refuses, and prove it.

It ends nobody's session. A login that was refused is not tried again; a frozen server is reported, and nothing else.
"""

from __future__ import annotations

from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.reconnect_schedule import pause_after
from ultra_recovery.job_ports import DatabaseSession, PoolerConsole, Role
from ultra_recovery.jobs.acting import LOGIN, explain, lock, remedy
from ultra_recovery.jobs.pooler_setting import swap, value_of
from ultra_recovery.jobs.work import JobFailed, NothingDone, Work

LOGIN_RETRY = "server_login_retry"
SHORT = 1
"""Seconds for which a pooler remembers a failed login while it is being mended."""
MENDING = 10.0
"""Seconds for a pooler to try its server again."""
_LOOK = 0.5
_PROBE = 3.0


async def reconnect(work: Work) -> str:
    """Carry the action out; a sentence about it."""
    action = work.request.action.reconnect_database
    if action is None:
        raise ValueError("not this action")
    attempts = await _reach(work)
    said = [f"the server was reached at attempt {attempts}"]
    broken = [place for place in work.request.poolers if not await _answers(work, place)]
    if work.request.poolers and not broken:
        said.append("so was every pooler")
    if broken:
        said.append(await _mend_all(work, broken))
    if action.write_check:
        await _write(work)
        said.append("it took a write")
    return ", ".join(said)


async def _reach(work: Work) -> int:
    """Try by the schedule until the server answers, and takes writes if it should; the attempts it took."""
    request, trouble = work.request, None
    for attempt in range(1, request.reconnect.attempts + 1):
        trouble = await _try_all(work)
        if trouble is None:
            work.notes.saw(f"attempt {attempt}: reached")
            return attempt
        work.notes.saw(f"attempt {attempt}: {trouble.kind}")
        if trouble.kind is FaultKind.CREDENTIALS:
            raise JobFailed(explain(trouble))
        pause = pause_after(attempt, request.reconnect, work.random.random())
        if attempt == request.reconnect.attempts or pause >= work.left:
            break
        await work.clock.sleep(pause)
    raise JobFailed(explain(trouble))


async def _try_all(work: Work) -> DatabaseFault | None:
    """One attempt at every address; None as soon as one is good."""
    trouble: DatabaseFault = DatabaseFault(FaultKind.UNREACHABLE, "it has no ready address")
    for place in work.request.servers:
        fault = await _try(work, place, work.request.database)
        if fault is None:
            return None
        trouble = fault
        if fault.kind is FaultKind.CREDENTIALS:
            break
    return trouble


async def _try(work: Work, place: Place, database: str, within: float = LOGIN) -> DatabaseFault | None:
    """One login and one question, as the probe role; what was wrong."""
    try:
        session = await work.servers.open(place, Role.PROBE, database, min(within, work.left))
    except DatabaseFault as fault:
        return fault
    try:
        if work.request.writable and not await session.is_writable():
            return DatabaseFault(FaultKind.WRONG_NODE, "the server takes no writes")
    except DatabaseFault as fault:
        return fault
    finally:
        await session.close()
    return None


async def _answers(work: Work, place: Place) -> bool:
    """Whether the server can be reached through one replica of the pooler."""
    fault = await _try(work, place, work.request.pooler_database, _PROBE)
    if fault is None:
        return True
    name = place.pod or f"{place.host}:{place.port}"
    work.notes.saw(f"through pooler {name}: {fault.kind}")
    if fault.kind in {FaultKind.CREDENTIALS, FaultKind.WRONG_NODE, FaultKind.EXHAUSTED}:
        # A shorter memory would only repeat a login that is refused for good reasons.
        raise JobFailed(f"through pooler {name}: {explain(fault)}")
    return False


async def _mend_all(work: Work, broken: list[Place]) -> str:
    """Mend every replica that still refuses; what came of it.

    Raises:
        JobFailed: at least one could not be mended.
        NothingDone: another Job is at it.
    """
    guard = await _guard(work)
    try:
        mended = [place for place in broken if await _mend(work, place)]
    finally:
        if guard is not None:
            await guard.close()
    if len(mended) < len(broken):
        message = f"{len(broken) - len(mended)} of {len(broken)} poolers still do not reach the server, which is there"
        raise JobFailed(f"{message}: {'; '.join(work.notes.measures[-4:])}")
    return f"{len(mended)} poolers that still refused were mended"


async def _guard(work: Work) -> DatabaseSession | None:
    """A session that holds the locks; None where no role may enter: the change is by compare-and-swap anyway."""
    role = Role.RECOVERY if work.request.has_recovery_role else Role.PROBE
    for place in work.request.servers:
        try:
            session = await work.servers.open(place, role, "", min(LOGIN, work.left))
        except DatabaseFault as fault:
            work.notes.saw(f"no lock: {fault}")
            continue
        try:
            await lock(work, session)
        except (DatabaseFault, NothingDone):
            await session.close()
            raise
        return session
    return None


async def _mend(work: Work, place: Place) -> bool:
    """Let one replica forget a failed login soon, ask through it until it works, and set its memory as it was."""
    name = place.pod or f"{place.host}:{place.port}"
    try:
        console = await work.poolers.open(place, min(_PROBE, work.left))
    except DatabaseFault as fault:
        work.notes.saw(f"console of pooler {name}: {fault}")
        return False
    try:
        return await _mend_by(work, console, place, name)
    except DatabaseFault as fault:
        work.notes.saw(f"console of pooler {name}: {fault}")
        return False
    finally:
        await console.close()


async def _mend_by(work: Work, console: PoolerConsole, place: Place, name: str) -> bool:
    database = await console.database(work.request.pooler_database)
    if database is not None and database.paused:
        work.notes.saw(f"pooler {name}: somebody paused {work.request.pooler_database}; only they know when to resume")
        return False
    present = await value_of(console, LOGIN_RETRY)
    before = work.request.size_before if work.request.size_before is not None else present
    if before <= SHORT or present not in {before, SHORT}:
        work.notes.saw(f"pooler {name}: {LOGIN_RETRY} is {present}, which was left alone")
        return await _wait_for(work, place)
    try:
        # SHORT is there already where an earlier pod of this Job was killed: it is set back all the same.
        work.notes.did(f"pooler {name}: {LOGIN_RETRY} {before} → {SHORT}")
        await swap(console, LOGIN_RETRY, before, SHORT)
        return await _wait_for(work, place)
    finally:
        work.notes.saw(f"pooler {name}: {LOGIN_RETRY} {await _set_back(work, console, place, before)} again")


async def _set_back(work: Work, console: PoolerConsole, place: Place, before: int) -> int:
    """The old value again, over another connection if this one was lost meanwhile."""
    try:
        return await swap(console, LOGIN_RETRY, SHORT, before)
    except DatabaseFault:
        second = await work.poolers.open(place, _PROBE)
        try:
            return await swap(second, LOGIN_RETRY, SHORT, before)
        finally:
            await second.close()


async def _wait_for(work: Work, place: Place) -> bool:
    """Ask through a replica until it reaches the server, or patience ends."""
    end = min(work.clock.boottime() + MENDING, work.until - _PROBE)
    while True:
        fault = await _try(work, place, work.request.pooler_database, _PROBE)
        if fault is None:
            return True
        if fault.kind is FaultKind.CREDENTIALS or work.clock.boottime() >= end:
            return False
        await work.clock.sleep(_LOOK)


async def _write(work: Work) -> None:
    """Prove that the server takes a write, in a table of our own."""
    if not work.request.has_recovery_role:
        raise JobFailed(f"writeCheck needs recoverySecretRef; {remedy(work.request)} prints the role for it")
    trouble: DatabaseFault | None = None
    for place in work.request.servers:
        try:
            session = await work.servers.open(place, Role.RECOVERY, work.request.database, min(LOGIN, work.left))
        except DatabaseFault as fault:
            trouble = fault
            continue
        try:
            await session.write()
        except DatabaseFault as fault:
            trouble = fault
        else:
            return
        finally:
            await session.close()
    hint = f"; {remedy(work.request)} prints what to install" if trouble and trouble.kind is FaultKind.RIGHTS else ""
    raise JobFailed(f"the server can be reached, and the write failed: {trouble}{hint}")
