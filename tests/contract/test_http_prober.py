"""The HTTP prober against real servers on this machine: what it reports, what it never does, what it never repeats."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import web

from tests.contract.http_stage import CANARY, SHORT, Stage, held, status
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.request import MAX_BODY
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome


@pytest.mark.parametrize(
    ("code", "codes", "outcome"),
    [
        (200, "200-399", Outcome.SUCCESS),
        (399, "200-399", Outcome.SUCCESS),
        (404, "200-399", Outcome.FAILURE),
        (500, "200-399", Outcome.FAILURE),
        (204, "204", Outcome.SUCCESS),
        (200, "204", Outcome.FAILURE),
        (503, "500-599", Outcome.SUCCESS),
        (429, "200-399", Outcome.NEUTRAL),
        (429, "400-499", Outcome.NEUTRAL),
    ],
)
async def test_the_status_code_decides(stage: Stage, code: int, codes: str, outcome: Outcome):
    stage.publish(await stage.serve(status(code)))
    result = await stage.probe_service(success_codes=codes)
    assert result.outcome is outcome
    assert str(code) in result.message
    assert not result.permanent
    assert result.finished_at >= result.started_at


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_request_is_what_the_target_says_and_nothing_more(stage: Stage, method: str):
    stage.publish(await stage.serve(status(200)))
    await stage.probe_service(method=method, path="/healthz?full=1")
    (request,) = stage.requests
    assert (request.method, request.path_qs) == (method, "/healthz?full=1")
    assert request.headers["Host"] == "orders.shop.svc"
    assert request.headers["User-Agent"] == "ultra-recovery/test"
    assert {name.lower() for name in request.headers} <= {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
    }


async def test_a_proxy_of_the_environment_is_not_used(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    proxy = await stage.serve(status(500))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
    stage.publish(await stage.serve(status(200)))
    assert (await stage.probe()).outcome is Outcome.SUCCESS
    assert len(stage.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(stage: Stage, code: int):
    trap = await stage.serve(status(200))
    location = [f"http://127.0.0.1:{trap}/", "http://169.254.169.254/latest/meta-data/"][code % 2]

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=code, headers={"Location": location})

    stage.publish(await stage.serve(redirect))
    assert (await stage.probe_service(success_codes="200")).outcome is Outcome.FAILURE
    assert (await stage.probe_service(success_codes=str(code))).outcome is Outcome.SUCCESS
    assert len(stage.requests) == 2


async def test_a_slow_answer_is_a_failure_at_the_deadline(stage: Stage):
    async with held() as never:
        stage.publish(await stage.serve(never))
        result = await stage.probe(SHORT)
    assert result.outcome is Outcome.FAILURE
    assert "no answer within 0.3 s" in result.message


async def test_a_server_that_accepts_and_never_answers_is_a_failure_at_the_deadline(stage: Stage):
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    stage.publish(await stage.serve_raw(silent))
    assert "no answer" in (await stage.probe(SHORT)).message


async def test_a_server_that_sends_its_headers_drop_by_drop_is_a_failure_at_the_deadline(stage: Stage):
    clock = SystemClock()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-Drop: 1\r\n")
            await writer.drain()
            await clock.sleep(0.01)

    stage.publish(await stage.serve_raw(drip))
    assert (await stage.probe(SHORT)).outcome is Outcome.FAILURE


async def test_a_refused_connection_is_a_failure(stage: Stage):
    async def closed(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        return None

    server = await asyncio.start_server(closed, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    stage.publish(port)
    result = await stage.probe()
    assert (result.outcome, result.reason) == (Outcome.FAILURE, Reason.PROBE_FAILED)
    assert "refused" in result.message


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(f"{CANARY}\r\n\r\n".encode(), id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", id="a huge header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", id="many headers"),
        pytest.param(f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n".encode(), id="a wrong length"),
        pytest.param(b"HTTP/1.1 999999 OK\r\n\r\n", id="a wrong code"),
        pytest.param(b"\x16\x03\x01\x02\x00" * 50, id="TLS"),
    ],
)
async def test_what_is_no_http_answer_is_a_failure_that_repeats_nothing_of_it(stage: Stage, data: bytes):
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()

    stage.publish(await stage.serve_raw(garble))
    result = await stage.probe()
    assert result.outcome is Outcome.FAILURE
    assert CANARY not in result.message


async def test_https_to_a_server_without_tls_is_a_failure(stage: Stage):
    stage.publish(await stage.serve(status(200)))
    assert (await stage.probe_service(scheme="HTTPS")).outcome is Outcome.FAILURE


async def test_an_endless_body_is_not_read_to_its_end(stage: Stage):
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        while not writer.is_closing():
            writer.write(chunk)
            await writer.drain()
            sent += 65536

    stage.publish(await stage.serve_raw(endless))
    assert (await stage.probe()).outcome is Outcome.SUCCESS
    # What the kernel's buffers take does not count as read.
    assert sent < MAX_BODY * 200


async def test_nothing_of_the_answer_appears_in_the_result_or_in_a_log(stage: Stage, caplog: pytest.LogCaptureFixture):
    async def tell(_: web.Request) -> web.Response:
        return web.Response(status=500, reason=CANARY, headers={"X-Canary": CANARY}, text=CANARY)

    stage.publish(await stage.serve(tell))
    with caplog.at_level(logging.DEBUG):
        result = await stage.probe()
    assert CANARY not in repr(result)
    assert CANARY not in caplog.text
