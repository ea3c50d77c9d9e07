"""Sessions of a database server as they were seen once, and what identifies one of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SessionState(StrEnum):
    """What a session does."""

    ACTIVE = "Active"
    IDLE = "Idle"
    IDLE_IN_TRANSACTION = "IdleInTransaction"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class SessionId:
    """Identity of a session and of what it was doing: a server signals only one of which all of this still holds.

    Attributes:
        pid: process or connection id, which a server may use again.
        start: when the session began, exactly as the adapter read it; "" where ids are never used again.
        since: when its present state, statement or transaction began, exactly as the adapter read it.
    """

    pid: int
    start: str
    since: str


UNTOLD = "?"
"""Stands for the application's name where a server tells none of anybody."""


@dataclass(frozen=True, slots=True)
class ServerSession:
    """One client's session.

    Attributes:
        state_seconds: how long it has been in its state.
        statement_seconds: how long its present statement has run; 0 when none does.
        verb: first words of its statement in capitals, such as VACUUM or CREATE INDEX; never a value.
        query: id or digest of its statement, "" when there is none.
        guard: why it must never be ended, in a few words that follow "it"; "" when nothing forbids it.
        blocks: how many sessions wait for a lock that it holds.
        waits: whether it waits for a lock that another session holds.
    """

    id: SessionId
    user: str
    database: str
    application: str
    address: str
    state: SessionState
    state_seconds: float = 0.0
    statement_seconds: float = 0.0
    verb: str = ""
    query: str = ""
    guard: str = ""
    blocks: int = 0
    waits: bool = False


class Claim(StrEnum):
    """Whether this process is the first of its action that is about to change something.

    FIRST: it is, and that was recorded. AGAIN: another one was before it. UNKNOWN: there is nowhere to record it.
    """

    FIRST = "First"
    AGAIN = "Again"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Limit:
    """One of the limits that a connection may run into.

    Attributes:
        name: what it is and of whom, such as `server` or `role orders`.
        most: connections that it allows.
        used: connections that count against it now.
    """

    name: str
    most: int
    used: int

    @property
    def reached(self) -> bool:
        """Whether one more connection is refused."""
        return self.used >= self.most


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared transaction: it survives its session, and only its coordinator may decide about it."""

    name: str
    seconds: float
