"""The way in: the header, the ways to recognise somebody, and the limit on failures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ultra_recovery.core.errors import ApiError
from ultra_recovery.rest.auth.identity import Authenticator, Identity
from ultra_recovery.rest.auth.limiter import FailureLimiter
from ultra_recovery.rest.problems import Problem, ProblemType, unavailable

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="ultra-recovery"'}


class Door:
    """Lets in whoever is recognised. It cannot be built without a way to recognise anybody."""

    def __init__(self, ways: Sequence[Authenticator], limiter: FailureLimiter) -> None:
        if not ways:
            raise ValueError("no way of authentication is configured: the API would be open to everybody, or to nobody")
        self._ways, self._limiter = tuple(ways), limiter

    async def identify(self, headers: Sequence[bytes], source: str, *, fresh: bool) -> Identity:
        """Whoever sends these Authorization headers.

        Args:
            headers: the values of all headers of the name; more than one is nobody.
            source: the address they come from.
            fresh: the API server must be asked anew, because something is to be changed.

        Raises:
            Problem: nobody is recognised, too many attempts failed, or whoever could tell does not answer.
        """
        token = _bearer(headers)
        found, certain = self._known(token) if token else (None, False)
        if found is not None and (certain or not fresh):
            return found
        if found is None:
            self._refuse_limited(source)
        if token:
            found = await self._review(token)
            if found is not None:
                return found
        self._limiter.failed(source)
        detail = "send the header Authorization: Bearer <token>, once, with a token that is configured here"
        raise Problem(ProblemType.UNAUTHENTICATED, detail, headers=_CHALLENGE)

    def _known(self, token: bytes) -> tuple[Identity | None, bool]:
        """Whoever is known by the token, and whether that is certain or only remembered. All ways are tried."""
        known = [(way.known(token), not way.remembers) for way in self._ways]
        return next((pair for pair in known if pair[0] is not None), (None, False))

    def _refuse_limited(self, source: str) -> None:
        wait = self._limiter.wait(source)
        if wait > 0:
            seconds = str(max(1, math.ceil(wait)))
            detail = f"too many attempts from this address failed: come back in {seconds} seconds"
            raise Problem(ProblemType.RATE_LIMITED, detail, headers={"Retry-After": seconds})

    async def _review(self, token: bytes) -> Identity | None:
        for way in self._ways:
            try:
                found = await way.review(token)
            except ApiError as error:
                raise unavailable("the Kubernetes API, which knows whose token this is, does not answer") from error
            if found is not None:
                return found
        return None


def _bearer(headers: Sequence[bytes]) -> bytes:
    """The token, b"" when there is none that can be used."""
    if len(headers) != 1:
        return b""
    scheme, _, token = headers[0].strip().partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""
