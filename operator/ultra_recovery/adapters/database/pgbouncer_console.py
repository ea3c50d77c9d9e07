"""The port PoolerConsole on PgBouncer: simple statements only, each with a deadline. PAUSE and KILL are not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ultra_recovery.adapters.database.access import Access
from ultra_recovery.adapters.database.line import Line
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.pooler_figures import CONSOLE, PoolerDatabase, PoolerServer, databases_of, number_of
from ultra_recovery.job_ports import PoolerConsole, Role

_ADMIN_NEEDED = "the console's user may only look: it must be one of PgBouncer's admin_users"
_SETTINGS = frozenset({"default_pool_size", "server_login_retry"})
"""What may be set at all."""


class PgBouncers:
    """Opens consoles."""

    def __init__(self, access: Callable[[Place, Role, str], Access]) -> None:
        self._access = access

    async def open(self, place: Place, within: float) -> PoolerConsole:
        """Log in to one replica."""
        return PgBouncerConsole(await Line.open(self._access(place, Role.POOLER, CONSOLE), within))


class PgBouncerConsole:
    """One console."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def close(self) -> None:
        """End it."""
        await self._line.close()

    async def database(self, name: str) -> PoolerDatabase | None:
        """What the replica says of a database."""
        return (await self.databases()).get(name)

    async def databases(self) -> Mapping[str, PoolerDatabase]:
        """All databases but the console."""
        pools = await self._line.ask("SHOW POOLS")
        return databases_of(pools, await self._line.ask("SHOW DATABASES"))

    async def servers(self, name: str) -> Sequence[PoolerServer]:
        """Connections to the server, each with the address of the client that uses it."""
        rows = [row for row in await self._line.ask("SHOW SERVERS") if row["database"] == name]
        linked = {str(row["link"]) for row in rows if row["link"]}
        clients = {}
        if linked:
            clients = {str(row["ptr"]): str(row["addr"]) for row in await self._line.ask("SHOW CLIENTS")}
        return [
            PoolerServer(
                pid=number_of(row["remote_pid"]),
                close_needed=number_of(row["close_needed"]) > 0,
                client=clients.get(str(row["link"]), ""),
            )
            for row in rows
        ]

    async def config(self, name: str) -> str:
        """A setting as it is in force."""
        for row in await self._line.ask("SHOW CONFIG"):
            if row["key"] == name:
                return str(row["value"])
        raise DatabaseFault(FaultKind.REFUSED, f"PgBouncer has no setting {name}")

    async def set(self, name: str, value: int) -> None:
        """Set one of the few settings that Jobs may touch."""
        if name not in _SETTINGS:
            raise ValueError(f"{name} is no setting that a Job may change")
        await self._order(f"SET {name} = {value:d}")

    async def reconnect(self, name: str) -> None:
        """RECONNECT."""
        await self._order(f"RECONNECT {_quoted(name)}")

    async def _order(self, command: str) -> None:
        try:
            await self._line.ask(command)
        except DatabaseFault as fault:
            if not fault.code:
                raise
            word = command.partition(" ")[0]
            raise DatabaseFault(FaultKind.RIGHTS, f"{word} was refused: {_ADMIN_NEEDED}") from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
