"""One connection to the API server for all adapters: who we are, how long we wait, how much at once."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from ultra_recovery import __version__
from ultra_recovery.adapters.kubernetes.credentials import Credentials, load
from ultra_recovery.adapters.kubernetes.errors import CONNECTION_ERRORS, from_answer, from_connection
from ultra_recovery.core.errors import Unavailable

READ_LIMIT = 15.0
"""Seconds for a request that changes nothing."""
EFFECT_LIMIT = 4.0
"""Seconds for a request that changes something: well below the leader's renew deadline."""
CONNECT_LIMIT = 5.0
MAX_CONNECTIONS = 50
FIELD_MANAGER = "ultra-recovery"
MERGE_PATCH = "application/merge-patch+json"

Observer = Callable[[str, str], None]


class Connection:
    """Sends requests and receives JSON. Use as a context manager, or call `close`.

    Attributes:
        observer: is told the method and the status code (or "none") of every request.
    """

    def __init__(self, configuration: Configuration, credentials: Credentials, addresses: Sequence[str] = ()) -> None:
        self.observer: Observer | None = None
        self._credentials = credentials
        self._addresses = tuple(addresses)
        configuration.connection_pool_maxsize = MAX_CONNECTIONS
        # The environment must not be able to send our token through a proxy.
        configuration.client_session_kwargs = {"trust_env": False, "cookie_jar": aiohttp.DummyCookieJar()}
        self._client = ApiClient(configuration)
        self._client.user_agent = f"ultra-recovery/{__version__}"

    @classmethod
    async def open(cls, kubeconfig: str | None = None) -> Connection:
        """Load credentials: the pod's service account, or outside a pod the kubeconfig.

        Raises:
            ApiError: there are none that can be used.
        """
        configuration, credentials = await load(kubeconfig)
        return cls(configuration, credentials, await _resolve(configuration.host))

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    def server_addresses(self) -> Sequence[str]:
        """IP addresses of the API server, as this process reaches it."""
        return self._addresses

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        limit: float = READ_LIMIT,
    ) -> dict[str, Any]:
        """Send one request and return the answer's JSON object.

        Raises:
            ApiError: in one of its kinds; Unavailable when it is unknown whether the request was applied.
        """
        try:
            async with asyncio.timeout(limit):
                code, headers, data = await self._exchange(method, path, query or {}, body, content_type, limit)
        except CONNECTION_ERRORS as error:
            self._observe(method, "none")
            raise from_connection(error, limit) from error
        self._observe(method, str(code))
        if code == 401:
            self._credentials.refused()
        if not 200 <= code < 300:
            raise from_answer(code, headers, data)
        return _object(data)

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content_type: str,
        limit: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        header = {"Accept": "application/json", "Content-Type": content_type}
        parameters = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=header,
            body=dict(body) if body is not None else None,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=limit, sock_connect=min(limit, CONNECT_LIMIT))
        response = await self._client.call_api(*parameters, _request_timeout=timeout)
        data: bytes = await response.read()  # type: ignore[no-untyped-call]
        return response.status, response.headers, data

    def _observe(self, method: str, code: str) -> None:
        if self.observer is not None:
            self.observer(method, code)


def _object(data: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise Unavailable("the answer is not JSON: something between us and the API server sent it") from error
    if not isinstance(parsed, dict):
        raise Unavailable("the answer is not an object: something between us and the API server sent it")
    return parsed


async def _resolve(url: str) -> list[str]:
    """The addresses of the API server's host. Without an answer of DNS there are none to know, and that is no error."""
    host = urlsplit(url).hostname or ""
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(answer[4][0]) for answer in answers})
