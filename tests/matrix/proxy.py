"""The reverse proxy between one operator and the API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.matrix.faults import DELAY, LATE, REFUSALS, RETRY_AFTER, Blow, Fault, WatchFault
from tests.matrix.ledger import MUTATING, Entry, Ledger
from tests.matrix.upstream import Upstream
from tests.matrix.watches import GONE_EVENT, WatchRules, lines_of

_PASSED_ON = ("Accept", "Content-Type", "User-Agent")
_ANSWERS = {
    Blow.CONFLICT: (409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
    Blow.TOO_MANY: (429, "TooManyRequests", "too many requests, please try again later"),
    Blow.SERVER_ERROR: (500, "InternalError", "etcdserver: leader changed"),
}

Kill = Callable[[], Awaitable[None]]


async def _nobody() -> None:
    """Until an operator runs."""


class Proxy:
    """Passes requests on, numbers those that change something, and breaks what it is told to break."""

    def __init__(self, upstream: Upstream, fault: Fault) -> None:
        self._upstream = upstream
        self._fault = fault
        self._runner: web.ServerRunner | None = None
        self._first_lists: dict[str, bytes] = {}
        self._served_old: set[str] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self.watches = WatchRules(fault.watch)
        self.ledger = Ledger(lambda: asyncio.get_running_loop().time())
        self.kill: Kill = _nobody
        self.fired = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        # Handlers of watches end with what they wait for; aiohttp would leave them to the garbage collector.
        for task in tuple(self._watches):
            task.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await self._runner.cleanup()

    def write_kubeconfig(self, path: Path) -> None:
        """A kubeconfig that leads here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "matrix",
            "clusters": [{"name": "matrix", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "matrix", "user": {"token": "not-a-token"}}],
            "contexts": [{"name": "matrix", "context": {"cluster": "matrix", "user": "matrix"}}],
        }
        path.write_text(json.dumps(config))

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        if request.method in MUTATING:
            return await self._mutate(request, headers, body)
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request, headers)
        return await self._read(request, headers)

    async def _mutate(self, request: web.BaseRequest, headers: Mapping[str, str], body: bytes) -> web.StreamResponse:
        entry = self.ledger.open(request.method, request.path, body)
        try:
            return await self._carry_out(entry, request, headers, body)
        finally:
            self.ledger.leave(entry)

    async def _carry_out(
        self, entry: Entry, request: web.BaseRequest, headers: Mapping[str, str], body: bytes
    ) -> web.StreamResponse:
        blow = self._blow_at(entry)
        if blow is Blow.KILL_BEFORE:
            await self.kill()
            return _hang_up(request)
        if blow in REFUSALS:
            entry.told = _ANSWERS[blow][0]
            entry.retry_after = RETRY_AFTER if blow is Blow.TOO_MANY else 0
            return _refusal(blow)
        if blow in (Blow.DELAY, Blow.LATE):
            await asyncio.sleep(DELAY if blow is Blow.DELAY else LATE)
        status, answer_headers, answer = await self._forward(request, headers, body)
        self.ledger.close(entry, status, answer)
        if blow is Blow.KILL_AFTER:
            await self.kill()
        if blow in (Blow.KILL_AFTER, Blow.DROP_REPLY):
            return _hang_up(request)
        entry.told = status
        return web.Response(status=status, headers=answer_headers, body=answer)

    def _blow_at(self, entry: Entry) -> Blow | None:
        if not entry.index or entry.index != self._fault.index or self.fired.is_set():
            return None
        self.fired.set()
        entry.fault = str(self._fault)
        if self._fault.watch is not None:
            self.watches.strike()
        return self._fault.blow

    async def _forward(
        self, request: web.BaseRequest, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        async with self._upstream.forward(request.method, request.path_qs, headers, body) as response:
            answer = await response.read()
            kept = {
                name: response.headers[name] for name in ("Content-Type", "Retry-After") if name in response.headers
            }
            return response.status, kept, answer

    async def _read(self, request: web.BaseRequest, headers: Mapping[str, str]) -> web.StreamResponse:
        status, answer_headers, answer = await self._forward(request, headers, b"")
        if self._fault.watch is WatchFault.STALE_LIST and "limit" in request.query:
            answer = self._old_list(request.path, answer)
        return web.Response(status=status, headers=answer_headers, body=answer)

    def _old_list(self, path: str, answer: bytes) -> bytes:
        """Each list is answered once more as it was first, by a server that lags behind, when the time has come."""
        first = self._first_lists.setdefault(path, answer)
        if not self.watches.active or path in self._served_old:
            return answer
        self._served_old.add(path)
        return first

    async def _watch(self, request: web.BaseRequest, headers: Mapping[str, str]) -> web.StreamResponse:
        async with self._upstream.forward("GET", request.path_qs, headers, b"") as source:
            kept = {"Content-Type": source.headers.get("Content-Type", "application/json")}
            response = web.StreamResponse(status=source.status, headers=kept)
            try:
                await response.prepare(request)
            except ConnectionResetError:
                # The operator that asked was killed meanwhile.
                return response
            pump = asyncio.ensure_future(self._pump(source, response))
            struck = asyncio.ensure_future(self.watches.until_struck())
            self._watches |= {pump, struck}
            try:
                await asyncio.wait({pump, struck} if self._ends_by_strike() else {pump}, return_when="FIRST_COMPLETED")
                if not pump.done():
                    await self._end(request, response)
            finally:
                for task in (pump, struck):
                    task.cancel()
                await asyncio.gather(pump, struck, return_exceptions=True)
                self._watches -= {pump, struck}
            return response

    def _ends_by_strike(self) -> bool:
        return self.watches.ends and not self.watches.active

    async def _end(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        if self.watches.fault is WatchFault.GONE:
            await response.write(json.dumps(GONE_EVENT).encode() + b"\n")
        else:
            _hang_up(request)

    async def _pump(self, source: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        async for line in lines_of(source.content):
            for piece in self.watches.edit(line):
                await self.watches.pass_on()
                await response.write(piece)


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _refusal(blow: Blow) -> web.Response:
    code, reason, message = _ANSWERS[blow]
    document = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": f"{message} (injected)",
    }
    headers = {"Retry-After": str(RETRY_AFTER)} if blow is Blow.TOO_MANY else {}
    return web.json_response(document, status=code, headers=headers)
