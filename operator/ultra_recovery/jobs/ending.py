"""Ending sessions: signal them all, see them go, and write down who they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ultra_recovery.core.database_request import Session
from ultra_recovery.core.database_session import ServerSession, SessionId, SessionState
from ultra_recovery.job_ports import Aim, DatabaseSession
from ultra_recovery.jobs.acting import begin
from ultra_recovery.jobs.pooler_clients import clients_by_pid
from ultra_recovery.jobs.work import Work

LOOK = 0.2
"""Seconds between two looks: some servers answer a faster question with what they said before."""
PATIENCE = 3.0
"""Seconds until a session that was ended has to be gone."""


async def end_stale(work: Work, session: DatabaseSession, chosen: Sequence[ServerSession], aim: Aim) -> int:
    """End sessions that were chosen, and wait until they are gone; how many were signalled."""
    if not chosen:
        return 0
    clients = await clients_by_pid(work)
    await begin(work, session)
    signalled = await session.terminate(work.request.id, [item.id for item in chosen], aim)
    if signalled:
        work.notes.changed = True
    left = await until_gone(work, session, [item.id for item in chosen if item.id.pid in signalled])
    what = "idle in transaction" if aim.state is SessionState.IDLE_IN_TRANSACTION else aim.state.lower()
    for item in chosen:
        if item.id.pid not in signalled:
            done = "moved on by itself"
        else:
            done = "signalled, still there" if item.id in left else "ended"
        note(work, item, item.state_seconds, f"{what}, {done}", clients)
    return len(signalled)


async def until_gone(work: Work, session: DatabaseSession, ids: Collection[SessionId]) -> set[SessionId]:
    """Wait until these sessions are gone; those that are still there when patience ends."""
    left = set(ids)
    end = min(work.clock.boottime() + PATIENCE, work.until)
    while left:
        there = {(item.id.pid, item.id.start) for item in await session.sessions()}
        left = {item for item in left if (item.pid, item.start) in there}
        if not left or work.clock.boottime() >= end:
            break
        await work.clock.sleep(LOOK)
    return left


def note(work: Work, item: ServerSession, seconds: float, done: str, clients: dict[int, str]) -> None:
    """Write down a session at fault, and count it for the address of its client."""
    address = clients.get(item.id.pid) or item.address
    work.notes.sessions.append(
        Session(
            pid=item.id.pid,
            start=item.id.start[:32],
            app=item.application[:63],
            address=address[:64],
            age=int(seconds),
            done=done,
            query=item.query,
        )
    )
    counted = Counter(work.notes.offenders)
    counted[address or "local"] += 1
    work.notes.offenders = dict(counted.most_common())
