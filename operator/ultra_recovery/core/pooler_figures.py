"""What one replica of PgBouncer says of a database. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONSOLE = "pgbouncer"
"""Name of the database that is the console itself."""
Row = Mapping[str, object]
"""A row of an answer, by column."""


@dataclass(frozen=True, slots=True)
class PoolerDatabase:
    """One database of one replica.

    Attributes:
        size: connections that each of its pools may have.
        pools: pools of this database, one for each user.
        paused: whether somebody paused it.
    """

    size: int
    pools: int = 1
    paused: bool = False
    active: int = 0
    idle: int = 0
    waiting: int = 0
    longest_wait: float = 0.0


@dataclass(frozen=True, slots=True)
class PoolerServer:
    """One connection of a replica to the server.

    Attributes:
        pid: process id on the server.
        close_needed: whether it will be closed as soon as nobody uses it.
        client: address of the client that uses it now, "" when none does.
    """

    pid: int
    close_needed: bool = False
    client: str = ""


def databases_of(pools: Sequence[Row], databases: Sequence[Row]) -> dict[str, PoolerDatabase]:
    """All databases but the console, from the rows of SHOW POOLS and SHOW DATABASES."""
    return {
        str(row["name"]): _database(row, [pool for pool in pools if pool["database"] == row["name"]])
        for row in databases
        if row["name"] != CONSOLE
    }


def _database(row: Row, pools: Sequence[Row]) -> PoolerDatabase:
    return PoolerDatabase(
        size=number_of(row.get("pool_size")),
        pools=len(pools),
        paused=number_of(row.get("paused")) > 0,
        active=_sum(pools, "sv_active"),
        idle=_sum(pools, "sv_idle") + _sum(pools, "sv_used"),
        waiting=_sum(pools, "cl_waiting"),
        longest_wait=max((number_of(pool.get("maxwait")) for pool in pools), default=0),
    )


def _sum(rows: Sequence[Row], column: str) -> int:
    return sum(number_of(row.get(column)) for row in rows)


def number_of(value: object) -> int:
    """A count as PgBouncer writes it; nought for what is none, as older and newer versions leave columns out."""
    text = str(value)
    return int(text) if text.isdecimal() else 0
