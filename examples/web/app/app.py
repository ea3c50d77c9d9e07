"""A tiny web service that can be made to fail on purpose.

GET  /               answers with the name of the pod
GET  /healthz        readiness: 200, or what the service is currently made to do
POST /hang           from now on this replica accepts connections and answers nothing
POST /fail?seconds=N answers 503 for N seconds
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

PORT = 8080
LONGEST_FAILURE = 3600.0
LONGEST_HEAD = 16 * 1024
PATIENCE = 15.0
MOST_CONNECTIONS = 2000

Answer = tuple[HTTPStatus, str]


class Service:
    """The state of this replica, and its answers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hanging = False
        self.failing_until = 0.0

    def answer(self, method: str, target: str, now: float) -> Answer | None:
        """The answer to one request; None to never answer."""
        url = urlsplit(target)
        if method == "POST" and url.path == "/hang":
            self.hanging = True
            return HTTPStatus.ACCEPTED, f"{self.name} hangs from now on"
        if self.hanging:
            return None
        if method == "POST" and url.path == "/fail":
            return self._fail(parse_qs(url.query), now)
        if method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "GET / and /healthz, POST /hang and /fail"
        if url.path not in ("/", "/healthz"):
            return HTTPStatus.NOT_FOUND, "no such page"
        if now < self.failing_until:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"{self.name} fails on purpose"
        return HTTPStatus.OK, "ok" if url.path == "/healthz" else f"hello from {self.name}"

    def _fail(self, query: dict[str, list[str]], now: float) -> Answer:
        try:
            seconds = float(query.get("seconds", ["60"])[0])
        except ValueError:
            return HTTPStatus.BAD_REQUEST, "seconds must be a number"
        if not 0 <= seconds <= LONGEST_FAILURE:
            return HTTPStatus.BAD_REQUEST, f"seconds must be between 0 and {LONGEST_FAILURE:.0f}"
        self.failing_until = now + seconds
        return HTTPStatus.ACCEPTED, f"{self.name} fails for {seconds:g} s"


def parse(head: bytes) -> tuple[str, str] | None:
    """Method and target of a request head; None when it is not one."""
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    return (words[0], words[1]) if len(words) == 3 and words[2].startswith("HTTP/1.") else None


def render(answer: Answer, body: bool) -> bytes:
    """An answer as bytes on the wire; every connection serves one request."""
    status, text = answer
    content = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    ).encode()
    return head + content if body else head


class Connections:
    """Serves connections, up to a limit; the oldest silent ones make room."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handles one connection from its first byte to its end."""
        self._open[writer] = None
        if len(self._open) > MOST_CONNECTIONS:
            next(iter(self._open)).transport.abort()
        try:
            await self._exchange(reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # a client that goes away or talks nonsense is no event for this service
        finally:
            self._open.pop(writer, None)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        request = parse(head)
        answer: Answer | None = (HTTPStatus.BAD_REQUEST, "not an HTTP request")
        if request:
            answer = self._service.answer(*request, now=asyncio.get_running_loop().time())
        if answer is None:
            while await reader.read(LONGEST_HEAD):  # silence until the client gives up
                pass
            return
        writer.write(render(answer, body=request is None or request[0] != "HEAD"))
        async with asyncio.timeout(PATIENCE):
            await writer.drain()

    def drop(self) -> None:
        """Ends every connection at once."""
        for writer in list(self._open):
            writer.transport.abort()


async def main() -> None:
    """Serves until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    connections = Connections(Service(os.environ.get("POD_NAME") or os.uname().nodename))
    server = await asyncio.start_server(connections.serve, port=PORT, backlog=1024, limit=LONGEST_HEAD)
    sys.stdout.write(f"listening on port {PORT}\n")
    await ended.wait()
    server.close()
    connections.drop()


if __name__ == "__main__":
    asyncio.run(main())
