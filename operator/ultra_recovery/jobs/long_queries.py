"""endLongQueries: cancel statements that run for too long, and end their sessions only where that does not help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ultra_recovery.apis.database_action import EndLongQueries
from ultra_recovery.core.database_session import ServerSession, SessionId, SessionState
from ultra_recovery.core.session_choice import LongQueries, Scope, long_queries
from ultra_recovery.job_ports import Aim, DatabaseSession
from ultra_recovery.jobs.acting import acting, begin, scope_of
from ultra_recovery.jobs.ending import LOOK, note, until_gone
from ultra_recovery.jobs.pooler_clients import clients_by_pid
from ultra_recovery.jobs.work import Work

_NAMED = 3


async def end_long_queries(work: Work) -> str:
    """Carry the action out; a sentence about it."""
    action = work.request.action.end_long_queries
    if action is None:
        raise ValueError("not this action")
    scope = scope_of(work, action)
    async with acting(work) as session:
        found = long_queries(await session.sessions(), scope, action.running_for.total_seconds())
        chosen = found.chosen[: action.max_sessions]
        done = await _end(work, session, action, scope, chosen) if chosen else {}
        _report(work, found, done)
    seconds = int(action.running_for.total_seconds())
    spared = f"; {len(found.spared)} more were left alone" if found.spared else ""
    ended = sum(outcome != "moved on by itself" for outcome in done.values())
    if not ended:
        return f"no statement that may be ended has run for {seconds} s{spared}"
    return f"ended {ended} statements that ran for {seconds} s or longer{spared}. {_remedies(found.chosen)}"


async def _end(
    work: Work, session: DatabaseSession, action: EndLongQueries, scope: Scope, chosen: Sequence[ServerSession]
) -> dict[SessionId, str]:
    """Cancel, wait, end what goes on; what became of each session."""
    clients = await clients_by_pid(work)
    seconds = action.running_for.total_seconds()
    aim = Aim(scope.user, scope.database, SessionState.ACTIVE, seconds, action.max_sessions)
    await begin(work, session)
    cancelled = await session.cancel(work.request.id, [item.id for item in chosen], aim)
    work.notes.changed = work.notes.changed or bool(cancelled)
    waited_for = [item.id for item in chosen if item.id.pid in cancelled]
    stubborn = await _still_running(work, session, waited_for, action.grace.total_seconds())
    done = {item.id: "cancelled" if item.id.pid in cancelled else "moved on by itself" for item in chosen}
    done.update(dict.fromkeys(stubborn, "cancelled, runs on"))
    if stubborn and action.terminate:
        ended = await session.terminate(work.request.id, stubborn, aim)
        left = await until_gone(work, session, [item for item in stubborn if item.pid in ended])
        done.update({item: "ended" for item in stubborn if item.pid in ended})
        done.update(dict.fromkeys(left, "signalled, still there"))
    for item in chosen:
        note(work, item, item.statement_seconds, done[item.id], clients)
    return done


async def _still_running(
    work: Work, session: DatabaseSession, ids: Sequence[SessionId], grace: float
) -> list[SessionId]:
    """Those that go on with the very same statement when the time is over."""
    left, end = set(ids), min(work.clock.boottime() + grace, work.until)
    while left:
        active = {item.id for item in await session.sessions() if item.state is SessionState.ACTIVE}
        left &= active
        if not left or work.clock.boottime() >= end:
            break
        await work.clock.sleep(LOOK)
    return [item for item in ids if item in left]


def _report(work: Work, found: LongQueries, done: dict[SessionId, str]) -> None:
    counted = Counter(done.values())
    if counted:
        work.notes.saw("long statements: " + ", ".join(f"{count} {what}" for what, count in counted.items()))
    beyond = len(found.chosen) - len(done)
    if beyond > 0:
        work.notes.saw(f"{beyond} more are beyond maxSessions")
    reasons = Counter(why for _, why in found.spared)
    for why, count in reasons.most_common(_NAMED):
        work.notes.saw(f"left alone: {count}, it {why}")


def _remedies(chosen: Sequence[ServerSession]) -> str:
    """Which statements they were, and what usually helps."""
    counted = Counter(item.query or "unknown" for item in chosen).most_common(_NAMED)
    names = ", ".join(f"{query} ({count}x)" for query, count in counted)
    return (
        f"Statements by id: {names}. What usually helps: an index or a rewrite of the statement, and "
        "statement_timeout for the application's role"
    )
