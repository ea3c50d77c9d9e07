"""Ports of the Jobs that work on a database: a server, a pooler in front of it, and the application's own hook.

Every call ends within a deadline of its own on this side: a frozen server keeps a connection open for ever.
All of them raise DatabaseFault, and nothing else, for what the other side does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.database_session import Claim, Limit, Prepared, ServerSession, SessionId, SessionState
from ultra_recovery.core.pooler_figures import PoolerDatabase, PoolerServer


class Role(StrEnum):
    """As whom a Job logs in; the name of the folder with its credentials."""

    PROBE = "probe"
    RECOVERY = "recovery"
    POOLER = "pooler"


@dataclass(frozen=True, slots=True)
class Aim:
    """Sessions that a signal may reach. The server itself checks all of it again at the moment of the signal.

    Attributes:
        user: only sessions of this role.
        database: only sessions on this database.
        state: only sessions that are still in this state.
        seconds: only sessions that have been in it, or have run their statement, for this long.
        most: sessions that one action may signal in all, over all of its calls.
    """

    user: str
    database: str
    state: SessionState
    seconds: float
    most: int


class DatabaseSession(Protocol):
    """One open session on a server."""

    async def close(self) -> None:
        """End it; never raises, never waits for long."""

    async def is_writable(self) -> bool:
        """Whether the server takes writes: it is no replica and not read-only."""

    async def write(self) -> None:
        """Prove it by a write to our own table `recovery.heartbeat`.

        Raises:
            DatabaseFault: RIGHTS when the table is not there or not ours; WRONG_NODE when the server is read-only.
        """

    async def missing(self) -> str:
        """What this role needs to end sessions and does not have, as a sentence; "" when it has all of it."""

    async def figures(self, at: datetime, user: str, database: str) -> PoolFigures:
        """The connections of the server now, and what an application that logs in as `user` can still open."""

    async def limits(self, user: str, database: str) -> Sequence[Limit]:
        """Every limit that a new connection of `user` to `database` can run into; first the server's own."""

    async def try_lock(self, name: str) -> bool:
        """Take the server's lock of this name, for as long as this session lives; False when another one has it."""

    async def claim(self, action: str) -> Claim:
        """Record that the action begins to change something now. Once per action, whoever asks."""

    async def sessions(self) -> Sequence[ServerSession]:
        """Every client's session but this one."""

    async def terminate(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        """End sessions, all at once, without waiting for them; the pids that were signalled.

        One statement checks each of them again and signals it: one that has moved since it was seen is left alone.
        """

    async def cancel(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        """Cancel statements and leave the sessions; otherwise as `terminate`."""

    async def prepared(self, database: str) -> Sequence[Prepared]:
        """Prepared transactions of a database, the oldest first. They are reported, and never touched."""

    async def swap_limit(self, before: int, after: int) -> int:
        """Set the server's limit of connections to `after` if it is `before`; the limit as it is then.

        Raises:
            DatabaseFault: REFUSED where the limit cannot be changed while the server runs.
        """


class Servers(Protocol):
    """Opens sessions on a server or, through a pooler, on what is behind it."""

    async def open(self, place: Place, role: Role, database: str, within: float) -> DatabaseSession:
        """Log in, within so many seconds.

        Args:
            place: where.
            role: as whom.
            database: name of the database; "" for the one where the acting role works, which no application uses.
            within: seconds until it must be done.

        Raises:
            DatabaseFault: it was not possible, and of what kind that is.
        """


class PoolerConsole(Protocol):
    """The console of one replica of PgBouncer. PAUSE and KILL do not exist here: they outlive whoever said them."""

    async def close(self) -> None:
        """End it; never raises."""

    async def database(self, name: str) -> PoolerDatabase | None:
        """What the replica says of a database; None when it does not know it."""

    async def databases(self) -> Mapping[str, PoolerDatabase]:
        """All of its databases by name, those of the console left out."""

    async def servers(self, name: str) -> Sequence[PoolerServer]:
        """Its connections to the server, of one database."""

    async def config(self, name: str) -> str:
        """The value of a setting as it is in force.

        Raises:
            DatabaseFault: REFUSED when there is no such setting.
        """

    async def set(self, name: str, value: int) -> None:
        """Set a setting, until the replica reads its file again."""

    async def reconnect(self, name: str) -> None:
        """Renew connections to the server, each as soon as nobody is inside a transaction on it."""


class Poolers(Protocol):
    """Opens consoles."""

    async def open(self, place: Place, within: float) -> PoolerConsole:
        """Log in to one replica, within so many seconds.

        Raises:
            DatabaseFault: it was not possible.
        """


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a hook said; `text` is a few words, such as 204 or `no answer`."""

    done: bool
    text: str


class PoolHooks(Protocol):
    """Calls the application's own way to renew its pool."""

    async def post(self, place: Place, path: str, key: str, within: float) -> HookAnswer:
        """POST to one pod, once, without redirects. `key` becomes the Idempotency-Key. Never raises."""
