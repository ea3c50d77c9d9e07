"""One connection to the API server: where it is, who we are, how long we wait."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.client.rest import RESTResponse

from ultra_recovery.adapters.fence import Fence, FencedRequest, fenced
from ultra_recovery.adapters.kubernetes.credentials import Credentials, load
from ultra_recovery.adapters.kubernetes.errors import translate
from ultra_recovery.adapters.kubernetes.lists import PIECE, ListReader
from ultra_recovery.core.errors import Unavailable

FIELD_MANAGER = "ultra-recovery"
MERGE_PATCH = "application/merge-patch+json"
_CONNECTIONS = 50
_READ = aiohttp.ClientTimeout(total=15, sock_connect=5)
_PROMPT = aiohttp.ClientTimeout(total=4, sock_connect=4)
_LIST = aiohttp.ClientTimeout(total=45, sock_connect=5, sock_read=15)
"""A list is taken while it arrives: what takes long then may be us."""


class Connection:
    """An open connection; an async context manager that closes it.

    Attributes:
        api_client: the client underneath, for what `request` cannot do.
    """

    def __init__(self, configuration: Configuration, credentials: Credentials, addresses: Sequence[str] = ()) -> None:
        self._credentials = credentials
        self._addresses = tuple(addresses)
        configuration.connection_pool_maxsize = _CONNECTIONS
        # The client would otherwise send its requests through a proxy named in the environment, token included.
        configuration.client_session_kwargs = {
            "trust_env": False,
            "cookie_jar": aiohttp.DummyCookieJar(),
            "request_class": FencedRequest,
        }
        self.api_client = ApiClient(configuration)
        self.api_client.user_agent = FIELD_MANAGER
        self._fence: Fence | None = None

    @classmethod
    async def open(cls, kubeconfig: str | None = None, context: str | None = None) -> Connection:
        """Find the API server: the pod's own when a service account is mounted, else that of a kubeconfig.

        Args:
            kubeconfig: path of a kubeconfig, None for the usual place.
            context: a context in it, None for the current one.

        Raises:
            ApiError: neither can be used.
        """
        configuration, credentials = await load(kubeconfig, context)
        return cls(configuration, credentials, await _resolve(configuration.host))

    def guard(self, fence: Fence) -> None:
        """From now on every mutation passes `fence` right before it is sent, unless it says otherwise."""
        self._fence = fence

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all sockets."""
        await self.api_client.rest_client.close()

    def server_addresses(self) -> Sequence[str]:
        """IP addresses of the API server, as this process reaches it: nothing that users write may make us probe them.

        Addresses and not names: the probe's deny-list compares what names resolve to.
        """
        return self._addresses

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        prompt: bool = False,
        unfenced: bool = False,
    ) -> dict[str, Any]:
        """Send one request, once, and return the document that answers it.

        Args:
            method: the HTTP method.
            path: the path on the server.
            query: query parameters.
            body: a JSON document.
            content_type: its type.
            prompt: fail after 4 s even though it is a read. Mutations always do: our right to act is a Lease that
                may have run out by then.
            unfenced: do not pass the fence: how a right to act is won must not depend on having it.

        Raises:
            ApiError: the request failed.
            NotLeader: it is a mutation, and the fence did not let it pass: it was not sent.
        """
        data = await self._send(
            method, path, query=query, body=body, content_type=content_type, prompt=prompt, unfenced=unfenced
        )
        with translate():
            return _object(data)

    async def request_list(
        self, path: str, query: Mapping[str, str], reader: ListReader, take: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Get a list: pass what `reader` makes of its items to `take`, and return its own fields.

        Raises:
            ApiError: the request failed; some items may have been taken before.
        """
        with translate():
            answer = await self._call("GET", path, query=query, wait=_LIST)
            self._check(answer, b"" if _is_good(answer) else await answer.response.read())
        async with answer.response:
            while True:
                with translate():
                    data = await answer.response.content.readany()
                for begin in range(0, len(data), PIECE):
                    with translate():
                        items = reader.feed(data[begin : begin + PIECE])
                    for item in items:
                        take(item)
                    # Much may have arrived already: others have their turn all the same.
                    await asyncio.sleep(0)  # noqa: TID251 - a turn for others, no time
                if not data:
                    break
        with translate():
            page, rest = reader.finish()
        for item in rest:
            take(item)
        return page

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        prompt: bool = False,
        unfenced: bool = False,
    ) -> bytes:
        mutates = method != "GET"
        timeout = _PROMPT if mutates or prompt else _READ
        with translate(), fenced(self._fence if mutates and not unfenced else None):
            answer = await self._call(method, path, query=query, body=body, content_type=content_type, wait=timeout)
            data = await answer.response.read()
            self._check(answer, data)
            return bytes(data)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        wait: aiohttp.ClientTimeout,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> RESTResponse:
        named = method not in ("GET", "DELETE")
        parameters = {**({"fieldManager": FIELD_MANAGER} if named else {}), **(query or {})}
        client = self.api_client
        url = f"{client.configuration.host}{path}{'?' if parameters else ''}{urlencode(parameters)}"
        headers = {"Accept": "application/json", "Content-Type": content_type, **client.default_headers}
        await client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        return await client.call_api(method, url, headers, body, _request_timeout=wait)

    def _check(self, answer: RESTResponse, data: bytes) -> None:
        if answer.status == 401:
            self._credentials.refused()
        if not _is_good(answer):
            raise ApiException(answer.status, answer.reason, http_resp=answer, body=data.decode(errors="replace"))


def _is_good(answer: RESTResponse) -> bool:
    return bool(200 <= answer.status < 300)


def _object(data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    if not isinstance(document, dict):
        raise Unavailable("the answer is not an object: something between us and the API server sent it")
    return document


async def _resolve(url: str) -> list[str]:
    """The addresses of the API server's host. Without an answer of DNS there are none to know, and that is no error."""
    host = urlsplit(url).hostname or ""
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(answer[4][0]) for answer in answers})
