"""One HTTP request to one checked address, and nothing of the answer in any message."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp

from ultra_recovery.adapters.http.request import open_session, request
from ultra_recovery.adapters.http.resolve import Destination, Place

FAULTS = (TimeoutError, aiohttp.ClientError, ssl.SSLError, ValueError, OSError)
"""What a request may raise that is the other side's doing."""


def explain(error: Exception, within: float) -> str:
    """A fault in words. What the other side said is not repeated: it may hold anything."""
    if isinstance(error, TimeoutError):
        return f"no answer within {within:g} s"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed: certificate or protocol"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connection refused or not reachable"
    if isinstance(error, aiohttp.ClientError | ssl.SSLError | ValueError):
        return "no valid HTTP answer"
    return "the name cannot be resolved now"


class Transport:
    """Sends requests.

    No redirects, no proxy, no cookies, no credentials, no connection kept: a pooled connection would hide a service
    that accepts no new ones.
    """

    def __init__(self, user_agent: str) -> None:
        self._headers = {"User-Agent": user_agent, "Accept": "*/*"}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def request(
        self,
        method: str,
        destination: Destination,
        place: Place,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The request; see `request.request`."""
        if self._session is None:
            self._session = open_session()
        sent = {**self._headers, **(headers or {})}
        return request(self._session, method, destination, place, sent, path=path)
