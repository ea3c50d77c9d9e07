"""Which sessions an action may end, and which it never does. Pure.

Innocent until everything speaks against it: the application's own role and database, a state that is at fault, an age,
a name that is allowed, and nothing that guards it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ultra_recovery.core.database_session import UNTOLD, ServerSession, SessionState
from ultra_recovery.core.statement import is_decision, is_upkeep

OWN_APPLICATION = "ultra-recovery"
"""Application name of our own sessions."""
NEVER: tuple[str, ...] = (
    f"{OWN_APPLICATION}*",
    *("pg_dump*", "pg_restore*", "pg_basebackup*", "pg_receivewal*", "pg_recvlogical*", "pg_rewind*", "walreceiver*"),
    *(
        "pgbackrest*",
        "barman*",
        "wal-g*",
        "wal_g*",
        "patroni*",
        "repmgr*",
        "mysqldump*",
        "mariadb-dump*",
        "mariabackup*",
    ),
    *("*backup*", "*migrat*", "alembic*", "flyway*", "liquibase*"),
)
"""Application names that are never ended: our own, replication, backups, migrations. In any case of letters."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions an action may end at all.

    Attributes:
        allow: application names, '*' for any characters; empty: any.
        deny: application names that are never ended, in any case of letters.
    """

    user: str
    database: str
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


def fits(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern in which '*' stands for any characters and everything else for itself."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def refusal(session: ServerSession, scope: Scope) -> str:
    """Why this session is never ended, in a few words that follow "it"; "" when it may be, if it is at fault."""
    if session.guard:
        return session.guard
    if session.user != scope.user or session.database != scope.database:
        return "belongs to somebody else"
    name = session.application.casefold()
    if any(fits(pattern, name) for pattern in NEVER):
        return "is a backup, a migration, replication or our own"
    if scope.deny and name == UNTOLD:
        return "has a name that the server does not tell, and there are denyApplications"
    if any(fits(pattern.casefold(), name) for pattern in scope.deny):
        return "has a name in denyApplications"
    if scope.allow and not any(fits(pattern, session.application) for pattern in scope.allow):
        return "has no name in allowApplications"
    return ""


def stale_sessions(sessions: Iterable[ServerSession], scope: Scope, seconds: float) -> list[ServerSession]:
    """Sessions that have done nothing inside a transaction for so long, the longest first."""
    return _in_state(sessions, scope, SessionState.IDLE_IN_TRANSACTION, seconds)


def idle_sessions(sessions: Iterable[ServerSession], scope: Scope, seconds: float) -> list[ServerSession]:
    """Sessions that have done nothing for so long, outside a transaction, the longest first."""
    return _in_state(sessions, scope, SessionState.IDLE, seconds)


def _in_state(
    sessions: Iterable[ServerSession], scope: Scope, state: SessionState, seconds: float
) -> list[ServerSession]:
    chosen = [
        item for item in sessions if item.state is state and item.state_seconds >= seconds and not refusal(item, scope)
    ]
    return sorted(chosen, key=lambda item: -item.state_seconds)


@dataclass(frozen=True, slots=True)
class LongQueries:
    """Statements that have run for too long.

    Attributes:
        chosen: those that may be cancelled: first those that others wait for, then the longest.
        spared: those that are not, each with the reason in a few words that follow "it".
    """

    chosen: Sequence[ServerSession]
    spared: Sequence[tuple[ServerSession, str]]


def long_queries(sessions: Iterable[ServerSession], scope: Scope, seconds: float) -> LongQueries:
    """Statements of the application that have run for so long."""
    chosen, spared = [], []
    for item in sessions:
        if item.state is not SessionState.ACTIVE or item.statement_seconds < seconds:
            continue
        if (item.user, item.database) != (scope.user, scope.database):
            continue
        why = refusal(item, scope) or _why_it_may_go_on(item, scope)
        if why:
            spared.append((item, why))
        else:
            chosen.append(item)
    chosen.sort(key=lambda item: (item.blocks == 0, -item.statement_seconds))
    return LongQueries(chosen, spared)


def _why_it_may_go_on(session: ServerSession, scope: Scope) -> str:
    if session.waits:
        return "waits for a lock of another session"
    if is_decision(session.verb):
        return "is just ending its transaction"
    if is_upkeep(session.verb) and not scope.allow:
        return f"is {session.verb}, which only allowApplications lets end"
    return ""
