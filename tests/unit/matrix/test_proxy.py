"""The proxy of the crash matrix, between a client and a small server that stands in for the API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.matrix import proxy as proxy_module
from tests.matrix.faults import NO_FAULT, Blow, Fault, WatchFault
from tests.matrix.ledger import LEADER
from tests.matrix.proxy import Proxy
from tests.matrix.upstream import Upstream

RUNS = "/apis/recovery.ultra.dev/v1alpha1/namespaces/shop/recoveryruns"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"
EVENTS = "/api/v1/namespaces/shop/events"
PODS = "/api/v1/namespaces/shop/pods"
BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class FakeServer:
    """Answers what it was asked, and streams what it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, dict[str, str]]] = []
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self.watched, self.changed = asyncio.Event(), asyncio.Event()
        self.items = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.taken.append((request.method, request.path, dict(request.headers)))
        if request.query.get("watch"):
            response = web.StreamResponse()
            await response.prepare(request)
            self.watched.set()
            while True:
                await response.write(await self.events.get())
        if request.method == "GET":
            return web.json_response({"items": list(range(self.items))})
        self.changed.set()
        body = json.loads(await request.read() or b"{}")
        return web.json_response({"kind": "RecoveryRun", **body}, status=201 if request.method == "POST" else 200)

    def says(self, kind: str, name: str = "web-1") -> None:
        self.events.put_nowait(json.dumps({"type": kind, "object": {"metadata": {"name": name}}}).encode() + b"\n")


class Scene:
    """A client that goes through the proxy."""

    def __init__(self, server: FakeServer, proxy: Proxy, session: aiohttp.ClientSession) -> None:
        self.server, self.proxy, self.session = server, proxy, session
        self.kills = 0
        proxy.kill = self._kill

    async def _kill(self) -> None:
        self.kills += 1

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.proxy.port}{path}"

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        async with self.session.request(method, self.url(path), json=body) as response:
            return response.status, await response.json()

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[aiohttp.StreamReader]:
        async with self.session.get(self.url(f"{PODS}?watch=true")) as response:
            await self.server.watched.wait()
            yield response.content


@asynccontextmanager
async def scene(fault: Fault = NO_FAULT) -> AsyncIterator[Scene]:
    server = FakeServer()
    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        upstream = await stack.enter_async_context(Upstream(url, {"Authorization": "Bearer real"}, None))
        proxy = await stack.enter_async_context(Proxy(upstream, fault))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Scene(server, proxy, session)


async def name_of(stream: aiohttp.StreamReader) -> str:
    event = json.loads(await asyncio.wait_for(stream.readline(), 5))
    return f"{event['type']} {event['object'].get('metadata', {}).get('name', '')}".strip()


async def test_requests_are_passed_on_with_the_credentials_of_the_real_kubeconfig():
    async with scene() as it:
        status, answer = await it.send("POST", RUNS, {"metadata": {"name": "web-1-1"}})
    assert (status, answer["metadata"]["name"]) == (201, "web-1-1")
    method, path, headers = it.server.taken[0]
    assert (method, path, headers["Authorization"]) == ("POST", RUNS, "Bearer real")


async def test_everything_that_changes_something_is_numbered_but_events_and_the_leaders_lease():
    async with scene() as it:
        await it.send("GET", RUNS)
        await it.send("POST", EVENTS, {"metadata": {"name": "e"}})
        await it.send("PUT", f"{LEASES}/{LEADER}", {})
        await it.send("POST", LEASES, {"metadata": {"name": LEADER}})
        await it.send("POST", LEASES, {"metadata": {"name": "ultra-recovery-abc"}})
        await it.send("PATCH", f"{RUNS}/web-1-1/status", {"status": {"phase": "Running"}})
        await it.send("POST", f"{PODS}/web-1/eviction", {})
    numbered = [
        (entry.index, entry.method, entry.plural, entry.name, entry.sub) for entry in it.proxy.ledger.numbered()
    ]
    assert numbered == [
        (1, "POST", "leases", "ultra-recovery-abc", ""),
        (2, "PATCH", "recoveryruns", "web-1-1", "status"),
        (3, "POST", "pods", "web-1", "eviction"),
    ]
    assert it.proxy.ledger.runs() == {"web-1-1": {"phase": "Running"}}


async def test_killed_before_means_that_the_server_never_sees_the_request():
    async with scene(Fault(Blow.KILL_BEFORE, 2)) as it:
        await it.send("POST", RUNS, {"metadata": {"name": "one"}})
        with pytest.raises(BROKEN):
            await it.send("POST", RUNS, {"metadata": {"name": "two"}})
        await it.send("POST", RUNS, {"metadata": {"name": "three"}})
    assert it.kills == 1
    assert len(it.server.taken) == 2
    assert [entry.applied for entry in it.proxy.ledger.entries] == [True, False, True]


@pytest.mark.parametrize(("blow", "kills"), [(Blow.KILL_AFTER, 1), (Blow.DROP_REPLY, 0)])
async def test_the_server_has_done_it_and_nobody_is_told(blow: Blow, kills: int):
    async with scene(Fault(blow, 1)) as it:
        with pytest.raises(BROKEN):
            await it.send("PATCH", f"{RUNS}/web-1-1/status", {})
    assert it.kills == kills
    assert len(it.server.taken) == 1
    entry = it.proxy.ledger.entries[0]
    assert (entry.applied, entry.told) == (True, 0)


@pytest.mark.parametrize(("blow", "code"), [(Blow.CONFLICT, 409), (Blow.TOO_MANY, 429), (Blow.SERVER_ERROR, 500)])
async def test_a_refusal_comes_once_and_from_the_proxy_alone(blow: Blow, code: int):
    async with scene(Fault(blow, 1)) as it:
        async with it.session.post(it.url(RUNS), json={}) as response:
            status = await response.json()
            assert response.status == status["code"] == code
            assert response.headers.get("Retry-After") == ("2" if code == 429 else None)
        assert it.server.taken == []
        assert (await it.send("POST", RUNS, {}))[0] == 201


async def test_a_late_request_takes_effect_after_its_sender_gave_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proxy_module, "LATE", 0.2)
    async with scene(Fault(Blow.LATE, 1)) as it:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.send("POST", RUNS, {}), 0.05)
        assert it.server.taken == []
        await asyncio.wait_for(it.server.changed.wait(), 5)


async def test_watch_events_pass_at_once_and_one_by_one():
    async with scene() as it, it.watch() as stream:
        it.server.says("ADDED")
        assert await name_of(stream) == "ADDED web-1"
        it.server.says("DELETED")
        assert await name_of(stream) == "DELETED web-1"


async def test_hidden_deletions_never_arrive():
    async with scene(Fault(watch=WatchFault.HIDE_DELETED)) as it, it.watch() as stream:
        it.proxy.watches.strike()
        it.server.says("DELETED")
        it.server.says("ADDED", "web-2")
        assert await name_of(stream) == "ADDED web-2"
    assert it.proxy.watches.hidden == 1


async def test_events_come_twice():
    async with scene(Fault(watch=WatchFault.DUPLICATE)) as it, it.watch() as stream:
        it.proxy.watches.strike()
        it.server.says("MODIFIED")
        assert [await name_of(stream), await name_of(stream)] == ["MODIFIED web-1"] * 2


async def test_a_frozen_watch_stays_open_and_silent():
    async with scene(Fault(watch=WatchFault.FREEZE)) as it, it.watch() as stream:
        it.server.says("ADDED")
        assert await name_of(stream) == "ADDED web-1"
        it.proxy.watches.strike()
        it.server.says("DELETED")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.readline(), 0.2)
        assert not stream.at_eof()


async def test_a_watch_that_is_gone_says_410_and_ends_and_the_next_one_lives():
    async with scene(Fault(watch=WatchFault.GONE)) as it:
        async with it.watch() as stream:
            it.proxy.watches.strike()
            event = json.loads(await asyncio.wait_for(stream.readline(), 5))
            assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
            assert await asyncio.wait_for(stream.read(), 5) == b""
        async with it.watch() as stream:
            it.server.says("ADDED")
            # The first event was taken by the stream that ended, or is on its way.
            it.server.says("ADDED")
            assert await name_of(stream) == "ADDED web-1"


async def test_a_cut_watch_breaks_off():
    async with scene(Fault(watch=WatchFault.CUT)) as it, it.watch() as stream:
        it.proxy.watches.strike()
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await asyncio.wait_for(stream.read(), 5)


async def test_a_lagging_server_answers_each_list_once_more_as_it_was():
    async with scene(Fault(watch=WatchFault.STALE_LIST)) as it:
        sizes = []
        for number in range(4):
            it.server.items = number
            if number == 2:
                it.proxy.watches.strike()
            sizes.append(len((await it.send("GET", f"{PODS}?limit=500"))[1]["items"]))
    assert sizes == [0, 1, 0, 3]


async def test_a_fault_of_the_watches_can_begin_at_a_request():
    async with scene(Fault(None, 2, WatchFault.FREEZE)) as it:
        await it.send("POST", RUNS, {})
        assert not it.proxy.watches.active
        await it.send("POST", RUNS, {})
        assert it.proxy.watches.active
