"""Twin of a database server: sessions, locks and what actions recorded, with the checks of a real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.database_session import Claim, Limit, Prepared, ServerSession, SessionId, SessionState
from ultra_recovery.job_ports import Aim, DatabaseSession, Role
from ultra_recovery.ports import Clock


@dataclass
class Backend:
    """One client's session on the twin.

    Attributes:
        since: boottime at which its present state or statement began.
        stubborn: whether it outlives a cancel.
    """

    pid: int
    user: str = "orders"
    database: str = "orders"
    application: str = "orders-web"
    address: str = "10.1.0.1"
    state: SessionState = SessionState.IDLE
    since: float = 0.0
    start: str = "first"
    verb: str = ""
    query: str = ""
    guard: str = ""
    blocks: int = 0
    waits: bool = False
    stubborn: bool = False

    def seen(self, now: float) -> ServerSession:
        """As the server shows it."""
        age, active = now - self.since, self.state is SessionState.ACTIVE
        return ServerSession(
            id=SessionId(self.pid, self.start, str(self.since)),
            user=self.user,
            database=self.database,
            application=self.application,
            address=self.address,
            state=self.state,
            state_seconds=age,
            statement_seconds=age if active else 0.0,
            verb=self.verb,
            query=self.query,
            guard=self.guard,
            blocks=self.blocks,
            waits=self.waits,
        )


def _no_fault(place: Place) -> DatabaseFault | None:
    del place
    return None


def _nothing() -> None:
    return None


@dataclass
class MemoryServer:
    """The server. `limits` without the figures of use: those are counted.

    Attributes:
        faults: what the next logins come to, each taken once; then `fault`, if it is set, for all.
        fault_at: what a login at a place comes to, such as one through a pooler.
        before_signal: called right before a signal is checked: what a test lets happen in that moment.
        asked: every session that a Job wanted to signal, in order.
        ended: sessions that were ended, with the time.
        cancelled: sessions whose statement was cancelled, as they were before.
    """

    clock: Clock
    backends: dict[int, Backend] = field(default_factory=dict)
    most: int = 100
    role_most: int | None = None
    writable: bool = True
    lacks: str = ""
    has_ledger: bool = True
    heartbeat: bool = True
    prepared: list[Prepared] = field(default_factory=list)
    faults: list[DatabaseFault] = field(default_factory=list)
    fault: DatabaseFault | None = None
    fault_at: Callable[[Place], DatabaseFault | None] = _no_fault
    before_signal: Callable[[], None] = _nothing
    logins: list[tuple[float, Role, str]] = field(default_factory=list)
    locks: dict[str, object] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)
    asked: list[SessionId] = field(default_factory=list)
    ended: list[tuple[float, Backend]] = field(default_factory=list)
    cancelled: list[Backend] = field(default_factory=list)

    def add(self, *backends: Backend) -> None:
        """Sessions that are there."""
        self.backends.update({item.pid: item for item in backends})

    async def open(self, place: Place, role: Role, database: str, within: float) -> DatabaseSession:
        """Log in."""
        del within
        self.logins.append((self.clock.boottime(), role, database))
        if self.faults:
            raise self.faults.pop(0)
        fault = self.fault or self.fault_at(place)
        if fault is not None:
            raise fault
        return _MemorySession(self)


class _MemorySession:
    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    async def close(self) -> None:
        self._server.locks = {name: holder for name, holder in self._server.locks.items() if holder is not self}

    async def is_writable(self) -> bool:
        return self._server.writable

    async def write(self) -> None:
        if not self._server.heartbeat:
            raise DatabaseFault(FaultKind.RIGHTS, "a table or function of ours is not installed", "42P01")

    async def missing(self) -> str:
        return self._server.lacks

    async def figures(self, at: datetime, user: str, database: str) -> PoolFigures:
        limits = await self.limits(user, database)
        return PoolFigures(
            at=at,
            limit=self._server.most,
            used=len(self._server.backends),
            free=min(limit.most - limit.used for limit in limits),
            idle_in_transaction=len(self._in(SessionState.IDLE_IN_TRANSACTION)),
        )

    async def limits(self, user: str, database: str) -> Sequence[Limit]:
        del database
        backends = self._server.backends.values()
        found = [Limit("server", self._server.most, len(backends))]
        if self._server.role_most is not None:
            found.append(Limit(f"role {user}", self._server.role_most, sum(item.user == user for item in backends)))
        return found

    async def try_lock(self, name: str) -> bool:
        return self._server.locks.setdefault(name, self) is self

    async def claim(self, action: str) -> Claim:
        if not self._server.has_ledger:
            return Claim.UNKNOWN
        if action in self._server.claims:
            return Claim.AGAIN
        self._server.claims.add(action)
        return Claim.FIRST

    async def sessions(self) -> Sequence[ServerSession]:
        now = self._server.clock.boottime()
        return [item.seen(now) for item in self._server.backends.values()]

    async def terminate(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        del action
        hit = self._check(sessions, aim)
        for backend in hit:
            self._server.ended.append((self._server.clock.boottime(), backend))
            del self._server.backends[backend.pid]
        return frozenset(item.pid for item in hit)

    async def cancel(self, action: str, sessions: Sequence[SessionId], aim: Aim) -> frozenset[int]:
        del action
        hit = self._check(sessions, aim)
        for backend in hit:
            self._server.cancelled.append(replace(backend))
            if not backend.stubborn:
                backend.state, backend.since = SessionState.IDLE, self._server.clock.boottime()
        return frozenset(item.pid for item in hit)

    def _check(self, sessions: Sequence[SessionId], aim: Aim) -> list[Backend]:
        """Those of which everything still holds, as the statement on a real server checks it."""
        self._server.asked.extend(sessions)
        self._server.before_signal()
        now, hit = self._server.clock.boottime(), []
        for wanted in sessions:
            backend = self._server.backends.get(wanted.pid)
            if backend is None or backend.seen(now).id != wanted or backend.guard:
                continue
            if (backend.user, backend.database, backend.state) != (aim.user, aim.database, aim.state):
                continue
            if now - backend.since >= aim.seconds:
                hit.append(backend)
        return hit[: aim.most]

    async def prepared(self, database: str) -> Sequence[Prepared]:
        del database
        return self._server.prepared

    async def swap_limit(self, before: int, after: int) -> int:
        if self._server.most == before:
            self._server.most = after
        return self._server.most

    def _in(self, state: SessionState) -> list[Backend]:
        return [item for item in self._server.backends.values() if item.state is state]
