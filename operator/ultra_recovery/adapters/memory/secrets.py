"""Twin of the port Secrets: a dictionary."""

from __future__ import annotations

from collections.abc import Mapping

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError, UltraError


class MemorySecrets:
    """Secrets by namespace and name; `problem`, while it is set, is raised instead."""

    def __init__(self) -> None:
        self.data: dict[tuple[str, str], Mapping[str, str]] = {}
        self.problem: UltraError | None = None
        self.reads: list[tuple[str, str, str]] = []
        self.forgotten: list[tuple[str, str]] = []

    async def read(self, namespace: str, name: str, breaker: str) -> Mapping[str, str]:
        """The data; one that nobody put there does not exist."""
        self.reads.append((namespace, name, breaker))
        if self.problem is not None:
            raise self.problem
        found = self.data.get((namespace, name))
        if found is None:
            raise SpecError(Reason.SECRET_NOT_FOUND, f"Secret {name} does not exist in namespace {namespace}")
        return found

    def forget(self, namespace: str, name: str) -> None:
        """Note what is to be read again."""
        self.forgotten.append((namespace, name))
