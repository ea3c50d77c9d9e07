"""A Job with a server, poolers and hooks in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ultra_recovery.adapters.memory.clock import FakeClock, FixedRandom
from ultra_recovery.adapters.memory.database_server import Backend, MemoryServer
from ultra_recovery.adapters.memory.pooler import MemoryHooks, MemoryPoolers, Replica
from ultra_recovery.core.database_request import DatabaseAnswer, DatabaseRequest
from ultra_recovery.core.database_session import SessionState
from ultra_recovery.jobs.runner import run, seconds_of
from ultra_recovery.jobs.work import Work


def leaked(pid: int, since: float = -60.0, **more: Any) -> Backend:
    """A session that does nothing inside a transaction."""
    return Backend(pid, state=SessionState.IDLE_IN_TRANSACTION, since=since, **more)


def busy(pid: int, since: float = -600.0, **more: Any) -> Backend:
    """A session whose statement runs."""
    return Backend(pid, state=SessionState.ACTIVE, since=since, **{"verb": "SELECT", "query": f"q{pid}", **more})


def unused(pid: int, since: float = -7200.0, **more: Any) -> Backend:
    """A session that does nothing outside a transaction."""
    return Backend(pid, state=SessionState.IDLE, since=since, **more)


@dataclass
class Scene:
    clock: FakeClock = field(default_factory=FakeClock)
    chance: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        self.server = MemoryServer(self.clock)
        self.poolers = MemoryPoolers()
        self.hooks = MemoryHooks()

    def replicas(self, *replicas: Replica) -> dict[str, Any]:
        """Replicas of the pooler, and what a request says of them."""
        self.poolers.replicas = {f"10.0.0.{number}": item for number, item in enumerate(replicas, start=2)}
        places = [{"host": host, "port": 6432, "pod": f"pgbouncer-{host[-1]}"} for host in self.poolers.replicas]
        return {"poolers": places, "hasPooler": True, "poolerDatabase": "orders"}

    def work(self, action: dict[str, Any], **more: Any) -> Work:
        (kind,) = action
        document = {
            "id": "orders-1",
            "engine": "postgres",
            "namespace": "shop",
            "breaker": "orders-db",
            "action": {kind: {"breaker": "orders-db", **action[kind]}},
            "servers": [{"host": "10.0.0.1", "port": 5432}],
            "database": "orders",
            "appUser": "orders",
            "hasRecoveryRole": True,
            "deadlineSeconds": 60,
            **more,
        }
        request = DatabaseRequest.model_validate({key: item for key, item in document.items() if item is not None})
        return Work(
            request=request,
            servers=self.server,
            poolers=self.poolers,
            hooks=self.hooks,
            clock=self.clock,
            random=FixedRandom(self.chance),
            until=self.clock.boottime() + seconds_of(request),
        )

    async def run(self, action: dict[str, Any], **more: Any) -> tuple[DatabaseAnswer, int]:
        return await run(self.work(action, **more))

    @property
    def ended(self) -> list[int]:
        return [backend.pid for _, backend in self.server.ended]
