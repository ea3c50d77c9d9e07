"""A session on the server as the role that acts, with the server's locks; or a sentence that says what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ultra_recovery.apis.database_action import SessionAction
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import DatabaseRequest
from ultra_recovery.core.database_session import Claim
from ultra_recovery.core.session_choice import Scope
from ultra_recovery.job_ports import DatabaseSession, Role
from ultra_recovery.jobs.work import AlreadyBegun, JobFailed, NothingDone, Work

LOGIN = 5.0
"""Seconds that a login may take."""
PATIENCE = 10.0
"""Seconds within which another login is begun. Clients that are turned away come back all the time, and each takes a
connection for a moment: on a full server the role that acts gets in between two of them."""
_PAUSE = 0.2
_PASSES = frozenset({FaultKind.EXHAUSTED, FaultKind.UNREACHABLE, FaultKind.FROZEN})
"""What may be over in a moment. A login that was refused is never repeated: that would lock the role out."""


def remedy(request: DatabaseRequest) -> str:
    """The command that prints everything the acting role needs."""
    user = f" --app-user {request.app_user}" if request.app_user else ""
    return f"`ultra-recovery generate sql --engine {request.engine} --database {request.database}{user}`"


@asynccontextmanager
async def acting(work: Work) -> AsyncIterator[DatabaseSession]:
    """A session with all rights and both locks: of this database, and of this very action. Takes figures around it.

    Raises:
        JobFailed: the server cannot be reached, or something is missing.
        NothingDone: another Job works on this database now.
    """
    session = await open_acting(work)
    try:
        missing = await session.missing()
        if missing:
            raise JobFailed(f"{missing}; {remedy(work.request)} prints what to install")
        await lock(work, session)
        user, database = work.request.app_user or "", work.request.database
        work.notes.before = await session.figures(work.clock.now(), user, database)
        yield session
        with contextlib.suppress(DatabaseFault):
            work.notes.after = await session.figures(work.clock.now(), user, database)
    finally:
        await session.close()


async def open_acting(work: Work) -> DatabaseSession:
    """A session as the role that acts, on a server that takes writes if the breaker wants one; tries for a while.

    Raises:
        JobFailed: there is none.
    """
    request = work.request
    if not request.has_recovery_role:
        message = f"the breaker {request.breaker} has no recoverySecretRef, so nobody may act on its server"
        raise JobFailed(f"{message}; {remedy(request)} prints the role for it")
    if not request.servers:
        raise JobFailed("the server has no ready address")
    end = min(work.clock.boottime() + PATIENCE, work.until - LOGIN)
    while True:
        found = await _enter(work)
        if not isinstance(found, DatabaseFault):
            return found
        pause = _PAUSE * (1 + work.random.random())
        if found.kind not in _PASSES or work.clock.boottime() + pause >= end:
            raise JobFailed(explain(found))
        await work.clock.sleep(pause)


async def _enter(work: Work) -> DatabaseSession | DatabaseFault:
    """One login at each address, until one of them will do; else what was wrong with the last one."""
    request, trouble = work.request, DatabaseFault(FaultKind.UNREACHABLE, "it has no ready address")
    for place in request.servers:
        try:
            session = await work.servers.open(place, Role.RECOVERY, "", min(LOGIN, work.left))
        except DatabaseFault as fault:
            trouble = fault
            if fault.kind is FaultKind.CREDENTIALS:
                break
            continue
        if not request.writable or await _is_writable(session):
            return session
        await session.close()
        trouble = DatabaseFault(FaultKind.WRONG_NODE, "the server takes no writes")
    return trouble


async def _is_writable(session: DatabaseSession) -> bool:
    try:
        return await session.is_writable()
    except DatabaseFault:
        await session.close()
        raise


def explain(fault: DatabaseFault | None) -> str:
    """What a fault means for the action, in a sentence."""
    meaning = {
        FaultKind.UNREACHABLE: "the server cannot be reached",
        FaultKind.FROZEN: "the server is frozen: it accepts connections and does not answer. Nobody was ended for it; "
        "look at its machine and its disks",
        FaultKind.EXHAUSTED: "not even the role that acts gets a connection: keep some in reserve for it "
        "(reserved_connections, or a connection limit of the application's role)",
        FaultKind.CREDENTIALS: "the login was refused, and was not tried again",
        FaultKind.WRONG_NODE: "this is the wrong node: it takes no writes. No session was ended for that; "
        "look where the Service or the address leads",
        FaultKind.RIGHTS: "the role has no right to do this",
        FaultKind.LOST: "the connection to the server was lost",
        FaultKind.REFUSED: "the server refused",
    }
    return "the server cannot be reached" if fault is None else f"{meaning[fault.kind]} ({fault})"


async def lock(work: Work, session: DatabaseSession) -> None:
    """Take the lock of the database, so that two Jobs never work on it at once, and the one of this action.

    Raises:
        NothingDone: somebody else has one of them.
    """
    request = work.request
    if not await session.try_lock(f"{request.namespace}/{request.breaker}"):
        raise NothingDone(f"another Job works on the database of breaker {request.breaker} now: nothing was done")
    if not await session.try_lock(request.id):
        raise NothingDone("another pod of this very Job is at work: nothing was done")


async def begin(work: Work, session: DatabaseSession) -> None:
    """Record that the first change comes now, once.

    Raises:
        AlreadyBegun: an earlier pod of this Job has recorded that.
    """
    if work.begun:
        return
    if await session.claim(work.request.id) is Claim.AGAIN:
        raise AlreadyBegun("an earlier pod of this Job had begun to act: nothing was done again")
    work.begun = True


def scope_of(work: Work, action: SessionAction) -> Scope:
    """Whose sessions the action may end.

    Raises:
        NothingDone: nobody said which role the application has.
    """
    if not work.request.app_user:
        raise NothingDone("no session is ended because the breaker does not say appUser, the application's role")
    return Scope(
        work.request.app_user,
        work.request.database,
        tuple(action.allow_applications),
        tuple(action.deny_applications),
    )
