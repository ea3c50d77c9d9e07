"""The last look before a request is sent: may this process still do that?

A process can be stopped at any line and go on a minute later. So the question is asked when all is ready, the document
written, the connection made and free, and nothing lies between the answer and the socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
from kubernetes.aio.client.rest import RESTClientObject

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Fence = Callable[[], object]
"""Raises when this process may not act now."""

_fence: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(fence: Fence | None) -> Iterator[None]:
    """Requests that are made inside pass `fence` right before they are sent."""
    token = _fence.set(fence)
    try:
        yield
    finally:
        _fence.reset(token)


class FencedConnector(aiohttp.TCPConnector):
    """Asks the fence of the request when a connection is ready for it, each time that the client begins to send."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the signature is that of the class above
    ) -> Connection:
        """Connect, or take a free connection."""
        connection = await super().connect(req, traces, timeout)
        fence = _fence.get()
        try:
            if fence is not None:
                fence()
        except BaseException:
            # Nothing was sent on it: it serves the next request.
            connection.release()
            raise
        return connection


class FencedRest(RESTClientObject):
    """The client's own sessions on connections with a fence."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return FencedConnector(limit=self.maxsize, ssl=self.ssl_context)
