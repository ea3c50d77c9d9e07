"""A pretended authority on tokens and rights."""

from __future__ import annotations

from ultra_recovery.core.errors import ApiError, Unavailable
from ultra_recovery.core.rights import Right
from ultra_recovery.ports import Reviewed


class MemoryReviewer:
    """Knows tokens and rights that a test puts in.

    Attributes:
        tokens: (token, audience) → whose it is.
        rights: (user name, right, namespace); the namespace "" grants all.
        asked: names of the calls, in order.
        outage: no call is answered.
        failure: what every call is answered with instead.
    """

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], Reviewed] = {}
        self.rights: set[tuple[str, Right, str]] = set()
        self.asked: list[str] = []
        self.outage = False
        self.failure: ApiError | None = None

    async def authenticate(self, token: str, audience: str) -> Reviewed | None:
        """Whose token this is, if it was made for this audience."""
        self._ask("authenticate")
        return self.tokens.get((token, audience))

    async def allowed(self, who: Reviewed, right: Right, namespace: str) -> bool:
        """Whether a right was put in for this namespace, or for all."""
        self._ask("allowed")
        return any((who.username, right, place) in self.rights for place in {namespace, ""})

    def _ask(self, call: str) -> None:
        self.asked.append(call)
        if self.outage:
            raise Unavailable("connection refused")
        if self.failure is not None:
            raise self.failure
