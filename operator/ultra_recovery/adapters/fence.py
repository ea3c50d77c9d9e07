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

from ultra_recovery.core.errors import NotLeader

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection

Fence = Callable[[], object]
"""Raises NotLeader when this process may not act now."""

_fence: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(fence: Fence | None) -> Iterator[None]:
    """Requests of class `FencedRequest` that are made inside pass `fence` right before they are sent."""
    token = _fence.set(fence)
    try:
        yield
    finally:
        _fence.reset(token)


class FencedRequest(aiohttp.ClientRequest):
    """Passes the fence when its connection is ready, and once more when the first byte is about to leave.

    The client keeps the head back until it has the first bytes of the body, and on Python 3.11 writes the body in a
    task of its own: whatever else the loop has to do may come in between.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send the request; what the fence raises comes out of the call."""
        fence = _fence.get()
        if fence is not None:
            fence()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write head and body, unless the fence refuses: then whoever waits for the answer gets its error."""
        fence = _fence.get()
        try:
            if fence is not None:
                fence()
        except NotLeader as error:
            if conn.protocol is not None:
                conn.protocol.set_exception(error)
            return
        await super().write_bytes(writer, conn, content_length)
