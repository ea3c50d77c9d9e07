"""What one replica of PgBouncer says of a database. Pure."""

from __future__ import annotations

from dataclasses import dataclass


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
