"""One HTTP request to one checked address: what probes and calls have in common."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
from yarl import URL

from ultra_recovery.adapters.http.resolve import Destination, Place

MAX_BODY = 64 * 1024
"""Most bytes of an answer that are read."""
_MAX_HEADER = 8190


def open_session(
    connector: aiohttp.TCPConnector | None = None, request_class: type[aiohttp.ClientRequest] = aiohttp.ClientRequest
) -> aiohttp.ClientSession:
    """A session without proxy, cookies and credentials, with bounded headers; nothing is kept or unpacked.

    Args:
        connector: one that keeps no connection; None for a plain one of that kind.
        request_class: how a request is sent.
    """
    return aiohttp.ClientSession(
        connector=connector or aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False),
        request_class=request_class,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        auto_decompress=False,
        max_line_size=_MAX_HEADER,
        max_field_size=_MAX_HEADER,
    )


def request(
    session: aiohttp.ClientSession,
    method: str,
    destination: Destination,
    place: Place,
    headers: Mapping[str, str],
    *,
    body: bytes | None = None,
    path: str | None = None,
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """The request, to the address itself: no name is resolved again between the check and the connection.

    `path` stands in for the path of the destination.
    """
    ip, port = place
    host = f"[{ip}]" if ":" in ip else ip
    scheme = "https" if destination.secure else "http"
    return session.request(
        method,
        URL(f"{scheme}://{host}:{port}{destination.path if path is None else path}", encoded=True),
        data=body,
        headers={**headers, "Host": destination.host},
        allow_redirects=False,
        ssl=destination.verify,
        server_hostname=destination.name if destination.secure else None,
    )
