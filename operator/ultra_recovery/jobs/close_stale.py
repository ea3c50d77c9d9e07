"""closeStaleConnections: end sessions that hold a transaction open and do nothing.

Always by ending the session: a cancel would be answered with yes and change nothing.
"""

from __future__ import annotations

from datetime import timedelta

from ultra_recovery.apis.database_action import SessionAction
from ultra_recovery.core.database_session import SessionState
from ultra_recovery.core.session_choice import stale_sessions
from ultra_recovery.job_ports import Aim, DatabaseSession
from ultra_recovery.jobs.acting import acting, scope_of
from ultra_recovery.jobs.ending import end_stale
from ultra_recovery.jobs.work import Work


async def close_stale(work: Work) -> str:
    """Carry the action out; a sentence about it."""
    action = work.request.action.close_stale_connections
    if action is None:
        raise ValueError("not this action")
    scope_of(work, action)
    async with acting(work) as session:
        ended = await close_transactions(work, session, action, action.idle_in_transaction_for)
        prepared = await report_prepared(work, session)
    seconds = int(action.idle_in_transaction_for.total_seconds())
    if not ended:
        return f"no session of the application has been idle in a transaction for {seconds} s{prepared}"
    return f"ended {ended} sessions that were idle in a transaction for {seconds} s or longer{prepared}"


async def close_transactions(work: Work, session: DatabaseSession, action: SessionAction, age: timedelta) -> int:
    """End sessions idle in a transaction for this long, within the caps of the action; how many were signalled."""
    scope, seconds = scope_of(work, action), age.total_seconds()
    chosen = stale_sessions(await session.sessions(), scope, seconds)
    aim = Aim(scope.user, scope.database, SessionState.IDLE_IN_TRANSACTION, seconds, action.max_sessions)
    ended = await end_stale(work, session, chosen[: action.max_sessions], aim)
    if chosen:
        more = len(chosen) - action.max_sessions
        rest = f"; {more} more are beyond maxSessions" if more > 0 else ""
        work.notes.saw(f"idle in transaction: {ended} of {len(chosen)} ended{rest}")
    return ended


async def report_prepared(work: Work, session: DatabaseSession) -> str:
    """What is to be said of prepared transactions: only their coordinator may decide about them."""
    found = await session.prepared(work.request.database)
    if not found:
        return ""
    oldest = max(item.seconds for item in found)
    work.notes.saw(f"prepared transactions: {len(found)}, the oldest {oldest:.0f} s; left alone")
    return (
        f"; {len(found)} prepared transactions hold their locks (the oldest for {oldest:.0f} s) and were left alone: "
        "their coordinator has to decide"
    )
