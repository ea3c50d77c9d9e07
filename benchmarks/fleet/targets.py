"""The targets: one process that answers HTTP on many ports and remembers when each path was asked for.

Usage: python -m benchmarks.fleet.targets ADDRESS FIRST_PORT PORTS [CERTIFICATE KEY]. GET /arrivals on the first port
gives what was seen as JSON, path → times in seconds of CLOCK_MONOTONIC, and forgets it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import defaultdict
from pathlib import Path

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
ARRIVALS = "/arrivals"


class Answerer(asyncio.Protocol):
    """As little as answers a GET: what is measured is who asks."""

    def __init__(self, port: int, arrivals: dict[str, list[float]]) -> None:
        self._port = port
        self._arrivals = arrivals
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        now, transport = time.monotonic(), self._transport
        if transport is None:
            return
        path = data.split(b" ", 2)[1].decode()
        if path == ARRIVALS:
            body = json.dumps(self._arrivals).encode()
            self._arrivals.clear()
            transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            transport.close()
            return
        self._arrivals[f"{self._port}{path}"].append(now)
        closes = b"connection: close" in data.lower()
        transport.write(_CLOSE if closes else _OK)
        if closes:
            transport.close()


async def serve(address: str, first: int, ports: int, context: ssl.SSLContext | None) -> None:
    """Answer until the process is ended."""
    arrivals: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    for port in range(first, first + ports):
        await loop.create_server(lambda port=port: Answerer(port, arrivals), address, port, ssl=context, backlog=1024)  # type: ignore[misc]
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve as the command line says."""
    address, first, ports, *pair = sys.argv[1:]
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(pair[0]), Path(pair[1]))
    asyncio.run(serve(address, int(first), int(ports), context))


if __name__ == "__main__":
    main()
