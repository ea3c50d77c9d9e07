"""Ports of what the operator needs to find a database and to be let in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ultra_recovery.apis.database import DatabaseTarget
from ultra_recovery.apis.endpoint import ServiceRef
from ultra_recovery.core.database_request import Place


@dataclass(frozen=True, slots=True)
class Located:
    """Where a database Job may connect to, every address checked.

    Attributes:
        servers: addresses of the server; none while it has no ready endpoint.
        server_name: name that its certificate must carry.
        poolers: every replica of the pooler.
        hooks: every ready pod of the hook's Service.
    """

    servers: tuple[Place, ...]
    server_name: str
    poolers: tuple[Place, ...] = ()
    hooks: tuple[Place, ...] = ()


class Databases(Protocol):
    """Finds what a database Job needs, inside the address policy and with the consent of the Secrets' owners."""

    async def locate(self, namespace: str, breaker: str, target: DatabaseTarget, hook: ServiceRef | None) -> Located:
        """Resolve and check every address, and every Secret that the target names.

        Raises:
            SpecError: something does not exist, or is not allowed; the message says what to do.
            ApiError: it is not known now.
        """


class Secrets(Protocol):
    """Reads a Secret that its owner allows a breaker to use."""

    async def read(self, namespace: str, name: str, breaker: str) -> Mapping[str, str]:
        """The Secret's data, decoded.

        Raises:
            SpecError: it does not exist, the operator may not get it, or its owner has not named the breaker.
            ApiError: it cannot be read now.
        """

    def forget(self, namespace: str, name: str) -> None:
        """What was in it has been refused: read it again next time."""
