"""The API server's own judgement: TokenReview says who calls, SubjectAccessReview what they may do."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from ultra_recovery.core.rights import Right
from ultra_recovery.ports import Clock, Reviewed, Reviewer
from ultra_recovery.rest.auth.identity import Scope

AUTHENTICATED_FOR = 60.0
REFUSED_FOR = 30.0
RIGHTS_FOR = 30.0
_MOST_ENTRIES = 10_000
_MOST_TOKEN = 8192
_AT_ONCE = 16

RIGHTS: dict[Scope, Right] = {
    Scope.READ: Right("list", "recoveryruns"),
    Scope.TRIGGER: Right("create", "recoveryruns"),
    Scope.RESET: Right("patch", "circuitbreakers"),
    Scope.REPORT: Right("patch", "circuitbreakers/status"),
    Scope.APPROVE: Right("patch", "recoveryruns"),
    Scope.FORCE: Right("force", "recoveryruns"),
}
"""What somebody must be allowed by the cluster to do for each scope: what the API then does for them. `force` is a
verb of our own, as no request of Kubernetes is like it."""

_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


class Expiring(Generic[_KeyT, _ValueT]):
    """A bounded memory whose entries end by themselves; the oldest goes first."""

    def __init__(self, clock: Clock, most: int = _MOST_ENTRIES) -> None:
        self._clock, self._most = clock, most
        self._entries: OrderedDict[_KeyT, tuple[float, _ValueT]] = OrderedDict()

    def get(self, key: _KeyT) -> _ValueT | None:
        """The value, or None when it is not there or has ended."""
        found = self._entries.get(key)
        if found is None:
            return None
        if found[0] <= self._clock.boottime():
            del self._entries[key]
            return None
        return found[1]

    def put(self, key: _KeyT, value: _ValueT, seconds: float) -> None:
        """Remember a value for some time."""
        self._entries.pop(key, None)
        while len(self._entries) >= self._most:
            self._entries.popitem(last=False)
        self._entries[key] = (self._clock.boottime() + seconds, value)

    def forget(self, key: _KeyT) -> None:
        """Forget a value; nothing happens when it is not there."""
        self._entries.pop(key, None)


@dataclass(frozen=True, slots=True)
class ReviewedCaller:
    """Somebody whom the API server knows."""

    who: Reviewed
    reviewer: Reviewer
    remembered: Expiring[tuple[str, Scope, str], bool]

    @property
    def name(self) -> str:
        """The user name."""
        return self.who.username

    async def permitted(self, scope: Scope, namespaces: Collection[str], *, fresh: bool) -> frozenset[str]:
        """Those of the namespaces in which the cluster allows it; one question is enough if that is all of them."""
        if await self._allowed(scope, "", fresh=fresh):
            return frozenset(namespaces)
        places = sorted(namespaces)
        found: set[str] = set()
        for begin in range(0, len(places), _AT_ONCE):
            asked = places[begin : begin + _AT_ONCE]
            answers = await asyncio.gather(*(self._allowed(scope, name, fresh=fresh) for name in asked))
            found.update(name for name, allowed in zip(asked, answers, strict=True) if allowed)
        return frozenset(found)

    async def holds(self, scope: Scope, *, fresh: bool) -> bool:
        """Whether the cluster allows it in all namespaces."""
        return await self._allowed(scope, "", fresh=fresh)

    async def _allowed(self, scope: Scope, namespace: str, *, fresh: bool) -> bool:
        key = (repr(self.who), scope, namespace)
        known = None if fresh else self.remembered.get(key)
        if known is not None:
            return known
        answer = await self.reviewer.allowed(self.who, RIGHTS[scope], namespace)
        self.remembered.put(key, answer, RIGHTS_FOR)
        return answer


class KubernetesTokens:
    """Recognises tokens of the cluster that were made for our audience."""

    remembers = True

    def __init__(self, reviewer: Reviewer, audience: str, clock: Clock) -> None:
        self._reviewer, self._audience = reviewer, audience
        self._callers: Expiring[bytes, ReviewedCaller] = Expiring(clock)
        self._refused: Expiring[bytes, bool] = Expiring(clock)
        self._rights: Expiring[tuple[str, Scope, str], bool] = Expiring(clock)

    def known(self, token: bytes) -> ReviewedCaller | None:
        """Whose token this was within the last minute."""
        return self._callers.get(hashlib.sha256(token).digest())

    async def review(self, token: bytes) -> ReviewedCaller | None:
        """Ask the API server, unless it has just refused this token."""
        digest = hashlib.sha256(token).digest()
        # A token of the cluster is a signed JSON document in three parts; anything else need not be sent anywhere.
        if self._refused.get(digest) or len(token) > _MOST_TOKEN or not token.isascii() or token.count(b".") != 2:
            return None
        who = await self._reviewer.authenticate(token.decode("ascii"), self._audience)
        if who is None:
            self._callers.forget(digest)
            self._refused.put(digest, True, REFUSED_FOR)
            return None
        caller = ReviewedCaller(who, self._reviewer, self._rights)
        self._callers.put(digest, caller, AUTHENTICATED_FOR)
        return caller
