"""A receiver of hooks and notifications that counts what arrives."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

_KEYS = ("Idempotency-Key", "X-Idempotency-Key", "X-Ultra-Recovery-Key")


class HookServer:
    """Counts calls per path and idempotency key.

    It listens on an address of this machine that is not loopback: the operator never calls loopback, and that is right.
    """

    def __init__(self) -> None:
        self._runner: web.ServerRunner | None = None
        self.calls: Counter[tuple[str, str]] = Counter()
        self.bodies: list[Mapping[str, Any]] = []
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
        key = next((request.headers[name] for name in _KEYS if name in request.headers), "")
        self.calls[request.path, key] += 1
        try:
            self.bodies.append(json.loads(text))
        except ValueError:
            self.bodies.append({"text": text[:1000]})
        return web.Response(text="ok")


def _own_address() -> str:
    """The address this machine would send from; nothing is sent by asking."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
