"""The HTTP door for operators."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from ultra_recovery.adapters.ops_server import OpsServer


class Checks:
    def __init__(self) -> None:
        self.live = self.ready = True

    def is_live(self) -> tuple[str, bool, str]:
        return "leader", self.live, "as it should"

    def is_ready(self) -> tuple[str, bool, str]:
        return "synced", self.ready, "first list"


@pytest.fixture
def checks() -> Checks:
    return Checks()


def _serve(checks: Checks) -> OpsServer:
    render = lambda: (b"series 1\n", "text/plain; version=1.0.0; charset=utf-8")  # noqa: E731
    return OpsServer("127.0.0.1", 0, render, [checks.is_live], [checks.is_ready, lambda: ("other", True, "fine")])


@pytest.fixture
async def server(checks: Checks) -> AsyncIterator[OpsServer]:
    server = _serve(checks)
    await server.start()
    yield server
    await server.stop()


async def get(server: OpsServer, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}{path}") as answer:
        return answer.status, await answer.text(), answer.headers["Content-Type"]


async def test_metrics_are_served_with_their_content_type(server: OpsServer):
    assert await get(server, "/metrics") == (200, "series 1\n", "text/plain; version=1.0.0; charset=utf-8")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_is_short_when_all_is_well(server: OpsServer, path: str):
    assert (await get(server, path))[:2] == (200, "ok\n")


async def test_verbose_shows_every_check(server: OpsServer):
    assert (await get(server, "/readyz?verbose"))[1] == "[+]synced: first list\n[+]other: fine\nok\n"


async def test_a_failed_check_is_named_and_concerns_its_path_alone(server: OpsServer, checks: Checks):
    checks.ready = False
    assert (await get(server, "/readyz"))[:2] == (503, "[-]synced: first list\nnot ok\n")
    assert (await get(server, "/livez"))[0] == 200


async def test_a_check_that_raises_has_failed(checks: Checks):
    def broken() -> tuple[str, bool, str]:
        raise RuntimeError("oh")

    server = OpsServer("127.0.0.1", 0, lambda: (b"", "text/plain"), [broken])
    await server.start()
    status, text, _ = await get(server, "/livez")
    await server.stop()
    assert (status, text) == (503, "[-]broken: RuntimeError: oh\nnot ok\n")


async def test_anything_else_is_not_found(server: OpsServer):
    assert (await get(server, "/"))[0] == 404


async def test_stopping_frees_the_port_and_may_be_repeated(checks: Checks):
    server = _serve(checks)
    await server.start()
    port = server.port
    await server.stop()
    await server.stop()
    again = OpsServer("127.0.0.1", port, lambda: (b"", "text/plain"))
    await again.start()
    await again.stop()


async def test_a_port_that_is_taken_is_an_error(server: OpsServer, checks: Checks):
    other = OpsServer("127.0.0.1", server.port, lambda: (b"", "text/plain"))
    with pytest.raises(OSError, match="in use"):
        await other.start()
    await other.stop()


async def test_a_loop_that_hangs_does_not_answer_and_so_fails_liveness(server: OpsServer):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(0.05)
        connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        # Nothing is awaited here: for the kubelet the loop hangs.
        with pytest.raises(TimeoutError):
            connection.recv(1)
