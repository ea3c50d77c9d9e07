"""Slow and noisy clients, as the server's protocol sees them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.rest.world import World, token
from ultra_recovery.rest.limits import ARRIVE_WITHIN
from ultra_recovery.rest.server import PunctualProtocol, build_server

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

HEAD = f"GET /api/recovery/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token('all')}\r\n".encode()


class Wire(asyncio.Transport):
    """A connection that keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.7", 40000) if name in ("peername", "sockname") else default

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


@pytest.fixture
def wire(world: World) -> Wire:
    return Wire()


async def connect(world: World, wire: Wire) -> PunctualProtocol:
    await world.sync()
    server = build_server(world.application, 0)
    server.config.load()
    protocol = PunctualProtocol(config=server.config, server_state=server.server_state, app_state={})
    protocol.connection_made(wire)
    return protocol


async def test_a_client_that_says_nothing_is_cut_off(world: World, wire: Wire):
    await connect(world, wire)
    await world.clock.sleep(ARRIVE_WITHIN)
    assert wire.closed


async def test_a_client_that_sends_a_byte_now_and_then_is_cut_off_as_soon(world: World, wire: Wire):
    protocol = await connect(world, wire)
    for byte in HEAD[: int(ARRIVE_WITHIN)]:
        protocol.data_received(bytes([byte]))
        await world.clock.sleep(1)
    assert wire.closed
    assert wire.written == b""


async def test_a_whole_request_is_answered_and_the_next_one_has_time_of_its_own(world: World, wire: Wire):
    protocol = await connect(world, wire)
    await world.clock.sleep(ARRIVE_WITHIN - 2)
    protocol.data_received(HEAD + b"\r\n")
    await world.clock.sleep(1)
    assert wire.written.startswith(b"HTTP/1.1 200")
    assert not wire.closed
    wire.written = b""
    protocol.data_received(HEAD)
    await world.clock.sleep(ARRIVE_WITHIN)
    assert (wire.closed, wire.written) == (True, b"")


async def test_a_head_that_never_ends_is_refused(world: World, wire: Wire):
    protocol = await connect(world, wire)
    protocol.data_received(HEAD)
    protocol.data_received(b"X-Long: " + b"a" * 40_000)
    await world.clock.sleep(1)
    assert wire.written.startswith(b"HTTP/1.1 400")
    assert wire.closed


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", id="TLS"),
        pytest.param(b"GET\r\n\r\n", id="half a line"),
        pytest.param(b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", id="no header"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two lengths"),
    ],
)
async def test_what_is_no_http_is_refused(world: World, wire: Wire, noise: bytes):
    protocol = await connect(world, wire)
    protocol.data_received(noise)
    await world.clock.sleep(1)
    assert wire.written.startswith(b"HTTP/1.1 400")
