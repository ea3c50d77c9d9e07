"""Twin of the port Databases: says what a test has told it to say."""

from __future__ import annotations

from ultra_recovery.apis.database import DatabaseTarget, PostgresTarget
from ultra_recovery.apis.endpoint import ServiceRef
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.errors import UltraError
from ultra_recovery.database_ports import Located


class MemoryDatabases:
    """Every target is at one address; `problem`, while it is set, is raised instead."""

    def __init__(self) -> None:
        self.problem: UltraError | None = None

    async def locate(self, namespace: str, breaker: str, target: DatabaseTarget, hook: ServiceRef | None) -> Located:
        """One server, one pooler and one hook, each where the target names one."""
        if self.problem is not None:
            raise self.problem
        pooler = target.pooler if isinstance(target, PostgresTarget) else None
        return Located(
            servers=(Place(host="10.0.0.1", port=5432),),
            server_name=f"{breaker}.{namespace}.svc",
            poolers=(Place(host="10.0.0.2", port=6432),) if pooler is not None else (),
            hooks=(Place(host="10.0.0.3", port=hook.port),) if hook is not None else (),
        )
