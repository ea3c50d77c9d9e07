"""The hook of an application, called for real."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.pool_hooks import HttpPoolHooks
from ultra_recovery.core.database_request import Place
from ultra_recovery.job_ports import HookAnswer


class App:
    """What the application answers, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.status = 204
        self.delay = 0.0
        self.place = Place(host="127.0.0.1", port=1)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path, request.headers.get("Idempotency-Key", "")))
        await SystemClock().sleep(self.delay)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def app() -> AsyncIterator[App]:
    app = App()
    server = web.Application()
    server.router.add_route("*", "/{tail:.*}", app.handle)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    app.place = Place(host="127.0.0.1", port=runner.addresses[0][1])
    yield app
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (204, HookAnswer(True, "204")),
        (200, HookAnswer(True, "200")),
        (302, HookAnswer(False, "302")),
        (503, HookAnswer(False, "503")),
    ],
)
async def test_it_is_posted_once_with_the_key_and_never_redirected(app: App, status: int, answer: HookAnswer):
    app.status = status
    assert await HttpPoolHooks("test").post(app.place, "/pool/refresh", "orders-1", 2) == answer
    assert app.asked == [("POST", "/pool/refresh", "orders-1")]


async def test_one_that_hangs_is_left(app: App):
    app.delay = 5
    assert await HttpPoolHooks("test").post(app.place, "/", "k", 0.2) == HookAnswer(False, "no answer within 0.2 s")


async def test_one_that_is_not_there_is_an_answer():
    answer = await HttpPoolHooks("test").post(Place(host="127.0.0.1", port=1), "/", "k", 1)
    assert answer == HookAnswer(False, "connection refused or no valid answer")
