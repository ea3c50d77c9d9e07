"""One HTTP request to one checked address, and nothing of the answer in any message."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from ultra_recovery.adapters.http.resolve import Destination, Place

MAX_BODY = 64 * 1024
"""Most bytes of an answer that are read."""
_MAX_HEADER = 8190
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

    @asynccontextmanager
    async def request(
        self,
        method: str,
        destination: Destination,
        place: Place,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The request, to the address itself: no name is resolved again between the check and the connection."""
        address, port = place
        host = f"[{address}]" if ":" in address else address
        scheme = "https" if destination.secure else "http"
        url = URL(f"{scheme}://{host}:{port}{path}", encoded=True)
        async with self._open().request(
            method,
            url,
            headers={**self._headers, **(headers or {}), "Host": destination.host},
            allow_redirects=False,
            ssl=destination.verify,
            server_hostname=destination.name if destination.secure else None,
        ) as response:
            yield response

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                auto_decompress=False,
                max_line_size=_MAX_HEADER,
                max_field_size=_MAX_HEADER,
            )
        return self._session
