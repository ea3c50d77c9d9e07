"""The caller against real servers on this machine: what it knows of an effect, and what it never does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from tests.contract.http_stage import CANARY, LONG, ORDERS, SHORT, Stage, held, status
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.caller import SEND_WITHIN, HttpCaller
from ultra_recovery.adapters.http.request import MAX_BODY
from ultra_recovery.apis.endpoint import HttpEndpoint
from ultra_recovery.core.call import Call, CallOutcome, CallResult
from ultra_recovery.core.errors import NotLeader

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answers(data: bytes, taken: list[bytes] | None = None) -> Raw:
    """A server that reads a request, sends these bytes and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if taken is not None:
            taken.append(head)
        writer.write(data)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def closed_port() -> int:
    async def never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        return None

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize(
    ("code", "outcome", "retry"),
    [
        (200, CallOutcome.DONE, False),
        (204, CallOutcome.DONE, False),
        (299, CallOutcome.DONE, False),
        (302, CallOutcome.REFUSED, False),
        (400, CallOutcome.REFUSED, False),
        (404, CallOutcome.REFUSED, False),
        (429, CallOutcome.REFUSED, True),
        (500, CallOutcome.REFUSED, True),
        (503, CallOutcome.REFUSED, True),
    ],
)
async def test_the_status_code_is_the_answer(stage: Stage, code: int, outcome: CallOutcome, retry: bool):
    stage.publish(await stage.serve(status(code)))
    assert await stage.call() == CallResult(outcome, f"answered {code}", retry)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_the_request_is_what_the_call_says_and_carries_no_credential(stage: Stage, method: str):
    bodies = []

    async def read(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    stage.publish(await stage.serve(read))
    headers = {"Idempotency-Key": "run-1"}
    await stage.call(method=method, path="/admin/reset?all=1", body=b'{"run": 1}', headers=headers)
    (request,) = stage.requests
    assert (request.method, request.path_qs, bodies) == (method, "/admin/reset?all=1", [b'{"run": 1}'])
    assert request.headers["Host"] == "orders.shop.svc"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "run-1"
    assert {name.lower() for name in request.headers} <= {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "content-length",
        "idempotency-key",
    }


async def test_a_redirect_is_a_refusal_and_is_not_followed(stage: Stage):
    trap = await stage.serve(status(200))

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"http://127.0.0.1:{trap}/"})

    stage.publish(await stage.serve(redirect))
    assert (await stage.call()).outcome is CallOutcome.REFUSED
    assert len(stage.requests) == 1


async def test_a_proxy_of_the_environment_is_not_used(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    proxy = await stage.serve(status(500))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
    stage.publish(await stage.serve(status(200)))
    assert (await stage.call()).outcome is CallOutcome.DONE
    assert len(stage.requests) == 1


async def test_a_refused_connection_is_a_refusal_and_nothing_was_sent(stage: Stage):
    stage.publish(await closed_port())
    message = "connection refused or not reachable; it was not sent"
    assert await stage.call() == CallResult(CallOutcome.REFUSED, message, retry=True)


async def test_tls_that_fails_is_a_refusal_and_nothing_was_sent(stage: Stage):
    stage.publish(await stage.serve(status(200)))
    result = await stage.call(scheme="HTTPS")
    assert result.outcome is CallOutcome.REFUSED
    assert "not sent" in result.message
    assert stage.requests == []


async def test_a_name_that_cannot_be_resolved_is_a_refusal_that_may_pass(stage: Stage):
    result = await stage.call(url="http://a.example.com/")
    message = "the name cannot be resolved now; it was not sent"
    assert result == CallResult(CallOutcome.REFUSED, message, retry=True)


async def test_a_server_that_does_not_answer_in_time_may_have_done_it(stage: Stage):
    async with held() as never:
        stage.publish(await stage.serve(never))
        result = await stage.call(SHORT)
    assert result == CallResult(CallOutcome.UNKNOWN, "no answer within 0.3 s; it may have been done", retry=True)
    assert len(stage.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_connection_that_breaks_after_the_request_may_have_done_it_and_is_not_repeated(
    stage: Stage, method: str
):
    taken: list[bytes] = []
    stage.publish(await stage.serve_raw(answers(b"", taken)))
    result = await stage.call(method=method)
    assert result.outcome is CallOutcome.UNKNOWN
    assert "may have been done" in result.message
    assert len(taken) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(f"{CANARY}\r\n\r\n".encode(), id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", id="a huge header"),
        pytest.param(f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n".encode(), id="a wrong length"),
        pytest.param(b"HTTP/1.1 999999 OK\r\n\r\n", id="a wrong code"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="a wrong chunk"),
    ],
)
async def test_what_is_no_http_answer_leaves_it_open_and_nothing_of_it_is_repeated(stage: Stage, data: bytes):
    stage.publish(await stage.serve_raw(answers(data)))
    result = await stage.call()
    assert result.outcome is CallOutcome.UNKNOWN
    assert CANARY not in result.message


async def test_the_code_counts_when_the_body_breaks_off(stage: Stage):
    stage.publish(await stage.serve_raw(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")))
    assert (await stage.call()).outcome is CallOutcome.DONE


async def test_the_code_counts_when_the_body_never_comes(stage: Stage):
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        await reader.read()

    stage.publish(await stage.serve_raw(hang))
    assert await stage.call(SHORT) == CallResult(CallOutcome.DONE, "answered 200")


async def test_an_endless_body_is_not_read_to_its_end(stage: Stage):
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    stage.publish(await stage.serve_raw(endless))
    assert (await stage.call()).outcome is CallOutcome.DONE
    assert sent < MAX_BODY * 200


async def test_a_request_whose_connection_takes_too_long_is_not_sent(stage: Stage):
    stage.publish(await stage.serve_raw(silent))
    result = await stage.call(SHORT, scheme="HTTPS")
    message = "no connection within 0.3 s; it was not sent"
    assert result == CallResult(CallOutcome.REFUSED, message, retry=True)


async def test_a_request_is_not_sent_when_the_machine_slept_before_it(stage: Stage):
    class Asleep(SystemClock):
        woken = 0.0

        def boottime(self) -> float:
            self.woken += SEND_WITHIN
            return self.woken

    stage.publish(await stage.serve(status(200)))
    policy = stage.policy
    caller = HttpCaller(stage.scene.view, policy, Asleep(), "ultra-recovery/test")
    result = await caller.call("shop", Call(HttpEndpoint(service_ref=ORDERS), "POST", b"{}", LONG))
    assert result == CallResult(CallOutcome.REFUSED, "no connection within 4 s; it was not sent", retry=True)
    assert stage.requests == []


async def test_an_answer_may_take_longer_than_the_sending_may(stage: Stage):
    async with held() as slow:
        stage.publish(await stage.serve(slow))
        pending = asyncio.create_task(stage.call())
        await asyncio.wait({pending}, timeout=SEND_WITHIN + 0.2)
        assert not pending.done()
    assert (await pending).outcome is CallOutcome.DONE


async def test_nothing_of_the_answer_appears_in_the_result_or_in_a_log(stage: Stage, caplog: pytest.LogCaptureFixture):
    async def tell(_: web.Request) -> web.Response:
        return web.Response(status=500, reason=CANARY, headers={"X-Canary": CANARY}, text=CANARY)

    stage.publish(await stage.serve(tell))
    with caplog.at_level(logging.DEBUG):
        result = await stage.call()
    assert CANARY not in repr(result)
    assert CANARY not in caplog.text


@pytest.mark.parametrize("lost_at", [1, 2], ids=["the connection is ready", "the first byte is about to leave"])
async def test_a_request_is_not_sent_by_who_has_lost_the_right_to_act_when(stage: Stage, lost_at: int):
    asked = 0

    def fence() -> None:
        nonlocal asked
        asked += 1
        if asked == lost_at:
            raise NotLeader("not the leader")

    stage.publish(await stage.serve(status(200)))
    stage.caller = HttpCaller(stage.scene.view, stage.policy, SystemClock(), "test", fence=fence)
    with pytest.raises(NotLeader):
        await stage.call(body=b"{}")
    await stage.settle()
    assert asked == lost_at
    assert stage.requests == []
