"""PostgreSQL servers that do not answer as they should."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.contract.database.conftest import Bench
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome


@pytest.fixture
def ready(pg: Server, bench: Bench) -> Bench:
    bench.publish(pg.port)
    bench.login("owner", "owner")
    return bench


@pytest.mark.parametrize("mode", ["Prefer", "Require"])
async def test_a_frozen_server_is_a_failure_at_the_deadline_and_no_socket_is_left(pg: Server, ready: Bench, mode: str):
    with frozen(pg):
        before = sockets()
        for _ in range(5):
            result = await ready.ask_postgres(0.3, database="postgres", tls={"mode": mode})
            assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)
            assert "no answer within 0.3 s" in result.message
        await SystemClock().sleep(0)
        assert sockets() <= before
    assert (await ready.ask_postgres(database="postgres")).outcome is Outcome.SUCCESS


async def test_a_refused_connection_is_a_failure(bench: Bench):
    bench.login("probe", "probe")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bench.publish(free.getsockname()[1])
        result = await bench.ask_postgres()
    assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="speaks HTTP"),
        pytest.param(b"R\x00\x00\x00\x08\x00\x00\x00\x63", id="wants an unknown login"),
        pytest.param(b"\x00" * 4096, id="zeros"),
    ],
)
async def test_a_server_that_speaks_something_else_is_a_failure(bench: Bench, answer: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(8)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bench.publish(server.sockets[0].getsockname()[1])
    bench.login("probe", "probe")
    result = await bench.ask_postgres(2.0, tls={"mode": "Disable"})
    server.close()
    assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)
    assert "HTTP" not in result.message


async def test_an_ended_session_of_the_probe_leaves_nothing_in_doubt(ready: Bench):
    results = await asyncio.gather(*(ready.ask_postgres(database="postgres") for _ in range(4)))
    assert {result.outcome for result in results} == {Outcome.SUCCESS}


async def test_the_password_is_in_no_message_and_in_no_log(ready: Bench, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    ready.login("probe", "canary-7f3a9c")
    result = await ready.ask_postgres(database="postgres")
    assert "canary" not in repr(result) + caplog.text


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)


def sockets() -> int:
    """Open sockets of this process."""

    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found
