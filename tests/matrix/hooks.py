"""A receiver of hooks and notifications that counts what arrives."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web


class HookServer:
    """Counts calls per path and key: the Idempotency-Key header of a hook, the id of a notification's document.

    It listens on an address of this machine that is not loopback: the operator never calls loopback, and that is right.

    Attributes:
        codes: the status to answer per path; 200 for the others.
        arrivals: when which path was called with which key.
    """

    def __init__(self) -> None:
        self._runner: web.ServerRunner | None = None
        self.calls: Counter[tuple[str, str]] = Counter()
        self.arrivals: list[tuple[float, str, str]] = []
        self.bodies: list[Mapping[str, Any]] = []
        self.codes: dict[str, int] = {}
        self.host, self.port = "", 0

    async def __aenter__(self) -> HookServer:
        self._runner = web.ServerRunner(web.Server(self._take), shutdown_timeout=0.1)
        await self._runner.setup()
        self.host = _own_address()
        await web.TCPSite(self._runner, self.host, 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        text = await request.text()
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        document = body if isinstance(body, dict) else {}
        key = request.headers.get("Idempotency-Key") or str(document.get("id") or "")
        self.calls[request.path, key] += 1
        self.arrivals.append((asyncio.get_running_loop().time(), request.path, key))
        self.bodies.append(document)
        return web.Response(status=self.codes.get(request.path, 200), text="{}")


def _own_address() -> str:
    """The address this machine would send from; nothing is sent by asking."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
