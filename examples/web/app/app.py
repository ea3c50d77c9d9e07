"""A tiny web service that can be made to fail on purpose.

GET  /               answers with the name of the pod
GET  /healthz        readiness: 200, or what the service is currently made to do; with NEEDS=http://name/path in the
                     environment also 503 while that address does not answer 200
GET  /stock          what others need of this service: 200, or 500 while it is spoiled
GET  /notes          the documents that were posted here, as a JSON list
POST /hang           from now on this replica accepts connections and answers nothing
POST /fail?seconds=N answers 503 for N seconds
POST /spoil, /heal   spoils the stock, and makes it good again
POST /eat            takes memory until there is none left
POST /notes          keeps a JSON document
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

PORT = 8080
LONGEST_FAILURE = 3600.0
LONGEST_HEAD = 16 * 1024
PATIENCE = 15.0
MOST_CONNECTIONS = 2000
LONGEST_BODY = 64 * 1024
MOST_NOTES = 100
NEED_PATIENCE = 0.7
BITE = 8 * 1024 * 1024

Answer = tuple[HTTPStatus, str]


@dataclass(frozen=True)
class Request:
    """One request: the method in capitals, the target as it was sent, the body."""

    method: str
    target: str
    body: bytes = b""


class Service:
    """The state of this replica, and its answers."""

    def __init__(self, name: str, needs: str = "") -> None:
        self.name = name
        self.needs = needs
        self.hanging = False
        self.spoiled = False
        self.failing_until = 0.0
        self.notes: list[object] = []
        self.eaten: list[bytes] = []

    async def answer(self, request: Request, now: float) -> Answer | None:
        """The answer to one request; None to never answer."""
        url = urlsplit(request.target)
        if request.method == "POST" and url.path == "/hang":
            self.hanging = True
            return HTTPStatus.ACCEPTED, f"{self.name} hangs from now on"
        if self.hanging:
            return None
        if request.method == "POST":
            return self._change(url.path, parse_qs(url.query), request.body, now)
        if request.method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "only GET, HEAD and POST"
        if now < self.failing_until:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"{self.name} fails on purpose"
        return await self._show(url.path)

    async def _show(self, path: str) -> Answer:
        if path == "/healthz":
            if self.needs and not await is_good(self.needs):
                return HTTPStatus.SERVICE_UNAVAILABLE, f"{self.needs} does not answer as it should"
            return HTTPStatus.OK, "ok"
        if path == "/stock":
            return (HTTPStatus.INTERNAL_SERVER_ERROR, "spoiled") if self.spoiled else (HTTPStatus.OK, "in stock")
        if path == "/notes":
            return HTTPStatus.OK, json.dumps(self.notes)
        return (HTTPStatus.OK, f"hello from {self.name}") if path == "/" else (HTTPStatus.NOT_FOUND, "no such page")

    def _change(self, path: str, query: dict[str, list[str]], body: bytes, now: float) -> Answer:
        if path == "/fail":
            return self._fail(query, now)
        if path in ("/spoil", "/heal"):
            changed, self.spoiled = self.spoiled != (path == "/spoil"), path == "/spoil"
            return HTTPStatus.OK, "changed" if changed else "as before"
        if path == "/notes":
            return self._note(body)
        if path == "/eat":
            while True:
                self.eaten.append(b"x" * BITE)
        return HTTPStatus.NOT_FOUND, "no such page"

    def _note(self, body: bytes) -> Answer:
        try:
            self.notes.append(json.loads(body))
        except ValueError:
            return HTTPStatus.BAD_REQUEST, "not a JSON document"
        del self.notes[:-MOST_NOTES]
        return HTTPStatus.OK, "noted"

    def _fail(self, query: dict[str, list[str]], now: float) -> Answer:
        try:
            seconds = float(query.get("seconds", ["60"])[0])
        except ValueError:
            return HTTPStatus.BAD_REQUEST, "seconds must be a number"
        if not 0 <= seconds <= LONGEST_FAILURE:
            return HTTPStatus.BAD_REQUEST, f"seconds must be between 0 and {LONGEST_FAILURE:.0f}"
        self.failing_until = now + seconds
        return HTTPStatus.ACCEPTED, f"{self.name} fails for {seconds:g} s"


async def is_good(address: str) -> bool:
    """Whether an http address answers 200 at once."""
    url = urlsplit(address)
    try:
        async with asyncio.timeout(NEED_PATIENCE):
            reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
            try:
                writer.write(f"GET {url.path or '/'} HTTP/1.0\r\nHost: {url.hostname}\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False


def parse(head: bytes) -> tuple[Request, int] | None:
    """A request head, and how many bytes of a body follow it; None when it is not one."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    return (Request(words[0], words[1]), int(length)) if length.isascii() and length.isdigit() else None


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
        answer, wants_body = await self._answer(head, reader)
        if answer is None:
            while await reader.read(LONGEST_HEAD):  # silence until the client gives up
                pass
            return
        writer.write(render(answer, body=wants_body))
        async with asyncio.timeout(PATIENCE):
            await writer.drain()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader) -> tuple[Answer | None, bool]:
        """The answer, and whether its body is wanted."""
        parsed = parse(head)
        if parsed is None:
            return (HTTPStatus.BAD_REQUEST, "not an HTTP request"), True
        request, length = parsed
        if length > LONGEST_BODY:
            return (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the document is too long"), True
        async with asyncio.timeout(PATIENCE):
            request = Request(request.method, request.target, await reader.readexactly(length))
        answer = await self._service.answer(request, now=asyncio.get_running_loop().time())
        return answer, request.method != "HEAD"

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
    service = Service(os.environ.get("POD_NAME") or os.uname().nodename, os.environ.get("NEEDS", ""))
    connections = Connections(service)
    server = await asyncio.start_server(connections.serve, port=PORT, backlog=1024, limit=LONGEST_HEAD)
    sys.stdout.write(f"listening on port {PORT}\n")
    await ended.wait()
    server.close()
    connections.drop()


if __name__ == "__main__":
    asyncio.run(main())
