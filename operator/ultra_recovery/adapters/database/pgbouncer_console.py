"""The port PoolerConsole on PgBouncer: simple statements only, each with a deadline. PAUSE and KILL are not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ultra_recovery.adapters.database.access import Access
from ultra_recovery.adapters.database.line import Line
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.core.pooler_figures import PoolerDatabase, PoolerServer
from ultra_recovery.job_ports import PoolerConsole, Role

CONSOLE = "pgbouncer"
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
        found = {}
        for row in await self._line.ask("SHOW DATABASES"):
            name = str(row["name"])
            if name == CONSOLE:
                continue
            own = [pool for pool in pools if pool["database"] == name]
            found[name] = PoolerDatabase(
                size=_number(row["pool_size"]),
                pools=len(own),
                paused=_number(row["paused"]) > 0,
                active=_sum(own, "sv_active"),
                idle=_sum(own, "sv_idle") + _sum(own, "sv_used"),
                waiting=_sum(own, "cl_waiting"),
                longest_wait=max((_number(pool["maxwait"]) for pool in own), default=0),
            )
        return found

    async def servers(self, name: str) -> Sequence[PoolerServer]:
        """Connections to the server, each with the address of the client that uses it."""
        rows = [row for row in await self._line.ask("SHOW SERVERS") if row["database"] == name]
        linked = {str(row["link"]) for row in rows if row["link"]}
        clients = {}
        if linked:
            clients = {str(row["ptr"]): str(row["addr"]) for row in await self._line.ask("SHOW CLIENTS")}
        return [
            PoolerServer(
                pid=_number(row["remote_pid"]),
                close_needed=_number(row["close_needed"]) > 0,
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


def _sum(rows: Sequence[Mapping[str, object]], column: str) -> int:
    return sum(_number(row.get(column)) for row in rows)


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0
