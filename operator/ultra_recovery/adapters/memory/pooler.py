"""Twins of PgBouncer's consoles and of the application's own hook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.pooler_figures import PoolerDatabase, PoolerServer
from ultra_recovery.job_ports import HookAnswer, PoolerConsole


@dataclass
class Replica:
    """One replica of the pooler, with a state of its own.

    Attributes:
        own_size: pool_size of the database in the file; None: default_pool_size holds.
        fault: what every login to the console comes to.
        orders: what it was told, in order.
    """

    settings: dict[str, int] = field(default_factory=lambda: {"default_pool_size": 20, "server_login_retry": 15})
    own_size: int | None = None
    pools: int = 1
    paused: bool = False
    waiting: int = 0
    servers: list[PoolerServer] = field(default_factory=list)
    fault: DatabaseFault | None = None
    only_looks: bool = False
    orders: list[str] = field(default_factory=list)


class MemoryPoolers:
    """Consoles by the host of their places. The database is named orders."""

    def __init__(self, replicas: Mapping[str, Replica] | None = None) -> None:
        self.replicas = dict(replicas or {})

    async def open(self, place: Place, within: float) -> PoolerConsole:
        """Log in."""
        del within
        replica = self.replicas.get(place.host)
        if replica is None:
            raise DatabaseFault(FaultKind.UNREACHABLE, "connection refused, lost or not reachable")
        if replica.fault is not None:
            raise replica.fault
        return _MemoryConsole(replica)


class _MemoryConsole:
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def close(self) -> None:
        return None

    async def database(self, name: str) -> PoolerDatabase | None:
        return (await self.databases()).get(name)

    async def databases(self) -> Mapping[str, PoolerDatabase]:
        replica = self._replica
        size = replica.own_size if replica.own_size is not None else replica.settings["default_pool_size"]
        active = sum(bool(item.client) for item in replica.servers)
        return {
            "orders": PoolerDatabase(size, replica.pools, replica.paused, active=active, waiting=replica.waiting),
        }

    async def servers(self, name: str) -> Sequence[PoolerServer]:
        del name
        return list(self._replica.servers)

    async def config(self, name: str) -> str:
        return str(self._replica.settings[name])

    async def set(self, name: str, value: int) -> None:
        self._order(f"SET {name} = {value}")
        self._replica.settings[name] = value

    async def reconnect(self, name: str) -> None:
        self._order(f"RECONNECT {name}")
        # Connections that nobody uses are closed at once, others when their transaction ends.
        self._replica.servers = [
            PoolerServer(item.pid, close_needed=True, client=item.client)
            for item in self._replica.servers
            if item.client
        ]

    def _order(self, order: str) -> None:
        if self._replica.only_looks:
            raise DatabaseFault(FaultKind.RIGHTS, "was refused: the console's user may only look", "08P01")
        self._replica.orders.append(order)


class MemoryHooks:
    """Answers 204 unless a test said otherwise for a host."""

    def __init__(self) -> None:
        self.answers: dict[str, HookAnswer] = {}
        self.calls: list[tuple[str, str, str]] = []

    async def post(self, place: Place, path: str, key: str, within: float) -> HookAnswer:
        """Answer as told."""
        del within
        self.calls.append((place.host, path, key))
        return self.answers.get(place.host, HookAnswer(True, "204"))
