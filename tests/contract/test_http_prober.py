"""The HTTP prober against real servers on this machine: what it reports, what it never does, what it never repeats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from tests.unit.adapters.scene import Scene
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.probe import MAX_BODY, PER_NAMESPACE, HttpProber
from ultra_recovery.apis.circuit_breaker import HttpTarget, ServiceRef
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome, ProbeResult

CANARY = "canary-7f3a9c"
ORDERS = ServiceRef(name="orders", port=80)
LONG = 30.0
SHORT = 0.3

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LoopbackPolicy(AddressPolicy):
    """The policy of production, but for 127.0.0.0/8: the only way to have servers in a test."""

    def refuse_pod(self, address: str) -> str | None:
        return None if address.startswith("127.") else super().refuse_pod(address)

    def refuse_raw(self, host: str, address: str, port: int) -> str | None:
        return None if address.startswith("127.") else super().refuse_raw(host, address, port)


class Stage:
    """Servers, the Service in front of them, and a prober."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.scene = Scene()
        self.requests: list[web.Request] = []
        self.peers: list[object] = []
        self.reached: list[str] = []
        self.names: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        policy = LoopbackPolicy(parse_rules("*.example.com"))
        self.prober = HttpProber(self.scene.view, policy, SystemClock(), "ultra-recovery/test", self._look_up)
        stack.push_async_callback(self.prober.close)

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """Each question takes the next answer of the name."""
        self.asked.append(host)
        return self.names[host].pop(0)

    async def serve(self, answer: Answer, *, host: str = "127.0.0.1", port: int = 0) -> int:
        """Start a server; returns its port."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests.append(request)
            assert request.transport is not None
            self.peers.append(request.transport.get_extra_info("peername"))
            self.reached.append(request.transport.get_extra_info("sockname")[0])
            return await answer(request)

        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, host, port).start()
        return int(runner.addresses[0][1])

    async def serve_raw(self, handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
        """Start a server below HTTP; returns its port."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handle(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        self._stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    def publish(self, port: int, *, namespace: str = "shop", addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        """Put a Service named orders in front of a port."""
        self.scene.namespace = namespace
        self.scene.service()
        endpoints = [self.scene.ready_pod(f"pod-{address}", address) for address in addresses]
        self.scene.slice(endpoints, port=port)

    async def probe(self, within: float = LONG, *, namespace: str = "shop", **target: object) -> ProbeResult:
        wanted = HttpTarget.model_validate(target or {"service_ref": ORDERS})
        return await self.prober.probe(namespace, wanted, within)

    async def probe_service(self, within: float = LONG, **target: object) -> ProbeResult:
        return await self.probe(within, service_ref=ORDERS, **target)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield Stage(stack)


def status(code: int, text: str = CANARY) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=code, text=text)

    return answer


@asynccontextmanager
async def held() -> AsyncIterator[Answer]:
    """A server that answers only when the block ends."""
    release = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    try:
        yield answer
    finally:
        release.set()


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


async def test_every_probe_makes_a_new_connection(stage: Stage):
    stage.publish(await stage.serve(status(200)))
    for _ in range(3):
        await stage.probe()
    assert len(set(stage.peers)) == 3


async def test_probes_in_turn_reach_all_ready_pods(stage: Stage):
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    port = await stage.serve(status(200))
    for address in addresses[1:]:
        await stage.serve(status(200), host=address, port=port)
    stage.publish(port, addresses=addresses)
    for _ in range(6):
        await stage.probe()
    assert stage.reached == [*addresses, *addresses]


async def test_no_ready_pod_is_a_failure_and_a_missing_service_is_the_users_mistake(stage: Stage):
    with pytest.raises(SpecError, match="does not exist"):
        await stage.probe()
    stage.publish(1, addresses=())
    result = await stage.probe()
    assert result.outcome is Outcome.FAILURE
    assert "no ready endpoint" in result.message


async def test_a_pod_that_is_not_in_the_view_yet_is_an_error_that_counts_neither_way(stage: Stage):
    stage.scene.service()
    stage.scene.slice([stage.scene.endpoint("127.0.0.1", "new")])
    result = await stage.probe()
    assert (result.outcome, result.permanent) == (Outcome.ERROR, False)


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(stage: Stage):
    port = await stage.serve(status(200))
    # Whoever asks a second time gets the metadata service.
    stage.names["a.example.com"] = [["127.0.0.1"], ["169.254.169.254"]]
    result = await stage.probe(url=f"http://a.example.com:{port}/x")
    assert result.outcome is Outcome.SUCCESS
    assert stage.asked == ["a.example.com"]
    assert stage.requests[0].headers["Host"] == f"a.example.com:{port}"
    with pytest.raises(SpecError, match="never probed"):
        await stage.probe(url=f"http://a.example.com:{port}/x")


async def test_a_name_with_one_forbidden_address_is_not_probed_at_all(stage: Stage):
    port = await stage.serve(status(200))
    stage.names["a.example.com"] = [["127.0.0.1", "169.254.169.254"]]
    with pytest.raises(SpecError) as caught:
        await stage.probe(url=f"http://a.example.com:{port}/")
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED
    assert stage.requests == []


async def test_the_production_policy_does_not_let_a_probe_reach_this_machine(stage: Stage):
    stage.publish(await stage.serve(status(200)))
    policy = AddressPolicy(parse_rules("0.0.0.0/0"))
    prober = HttpProber(stage.scene.view, policy, SystemClock(), "ultra-recovery/test")
    with pytest.raises(SpecError) as caught:
        await prober.probe("shop", HttpTarget(service_ref=ORDERS), LONG)
    await prober.close()
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED
    assert stage.requests == []


async def test_a_slow_target_does_not_delay_another_of_its_namespace(stage: Stage):
    async with held() as never:
        fast = await stage.serve(status(200))
        stage.publish(await stage.serve(never))
        pending = asyncio.create_task(stage.probe())
        stage.names["a.example.com"] = [["127.0.0.1"]]
        result = await stage.probe(url=f"http://a.example.com:{fast}/")
        assert result.outcome is Outcome.SUCCESS
        assert not pending.done()
    assert (await pending).outcome is Outcome.SUCCESS


async def test_slow_targets_of_one_namespace_use_up_nothing_of_another(stage: Stage):
    async with held() as never:
        stage.publish(await stage.serve(never))
        stage.publish(await stage.serve(status(200)), namespace="other")
        pending = [asyncio.create_task(stage.probe()) for _ in range(PER_NAMESPACE + 5)]
        result = await stage.probe(namespace="other")
        assert result.outcome is Outcome.SUCCESS
        assert not any(task.done() for task in pending)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def test_a_cancelled_probe_gives_its_place_back(stage: Stage):
    async with held() as never:
        stage.publish(await stage.serve(never))
        pending = [asyncio.create_task(stage.probe()) for _ in range(PER_NAMESPACE)]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        stage.names["a.example.com"] = [["127.0.0.1"]]
        port = await stage.serve(status(200))
        assert (await stage.probe(url=f"http://a.example.com:{port}/")).outcome is Outcome.SUCCESS
