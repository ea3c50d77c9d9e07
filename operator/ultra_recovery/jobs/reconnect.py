"""reconnectDatabase: find out whether the server can be reached, mend a pooler that still refuses, and prove it.

It ends nobody's session. A login that was refused is not tried again; a frozen server is reported, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.reconnect_schedule import pause_after
from ultra_recovery.job_ports import DatabaseSession, Role
from ultra_recovery.jobs.acting import LOGIN, explain, lock, remedy
from ultra_recovery.jobs.pooler_memory import short_memory
from ultra_recovery.jobs.work import JobFailed, NothingDone, Work

MENDING = 10.0
"""Seconds for poolers to reach the server again."""
HELD = 2.5
"""Seconds for which poolers are at least kept from remembering failed logins."""
_LOOK = 0.5
_PROBE = 3.0
_FINAL = frozenset({FaultKind.CREDENTIALS, FaultKind.WRONG_NODE, FaultKind.EXHAUSTED})


async def reconnect(work: Work) -> str:
    """Carry the action out; a sentence about it."""
    action = work.request.action.reconnect_database
    if action is None:
        raise ValueError("not this action")
    attempts = await _reach(work)
    said = [f"the server was reached at attempt {attempts}"]
    if work.request.poolers:
        said.append(await _mend_poolers(work))
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


async def _answer_through(work: Work, places: Sequence[Place]) -> list[Place]:
    """The replicas through which the server cannot be reached.

    Raises:
        JobFailed: a login was refused there: to repeat it is what a shorter memory would do.
    """
    faults = await asyncio.gather(*(_try(work, place, work.request.pooler_database, _PROBE) for place in places))
    for place, fault in zip(places, faults, strict=True):
        if fault is not None and fault.kind in _FINAL:
            raise JobFailed(f"through pooler {place.name}: {explain(fault)}")
    return [place for place, fault in zip(places, faults, strict=True) if fault is not None]


async def _mend_poolers(work: Work) -> str:
    """Let every replica forget failed logins, and see that the server is reached through all; what came of it.

    Raises:
        JobFailed: it is not reached through at least one.
        NothingDone: another Job is at it.
    """
    places = work.request.poolers
    refusing = await _answer_through(work, places)
    for place in refusing:
        work.notes.saw(f"through pooler {place.name}: not reached")
    guard = await _guard(work)
    try:
        async with short_memory(work, places) as short:
            refusing = await _wait_for(work, refusing, short)
    finally:
        if guard is not None:
            await guard.close()
    if refusing:
        message = f"through {len(refusing)} of {len(places)} poolers the server is not reached, although it is there"
        raise JobFailed(f"{message}: {'; '.join(work.notes.measures[-4:])}")
    mended = f", and {len(short)} of them forgot failed logins" if short else ""
    return f"through every pooler, too{mended}"


async def _wait_for(work: Work, refusing: list[Place], short: Sequence[Place]) -> list[Place]:
    """Ask through poolers until they reach the server, or patience ends; those that still do not.

    Where nobody is refused the short memory is kept for a moment: clients of the application come within it.
    """
    begin = work.clock.boottime()
    end = min(begin + MENDING, work.until - _PROBE)
    while short and (refusing or work.clock.boottime() < begin + HELD) and work.clock.boottime() < end:
        await work.clock.sleep(_LOOK)
        refusing = await _answer_through(work, refusing)
    return refusing


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
