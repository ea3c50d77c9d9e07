"""Real servers on this machine with an HTTP prober before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from tests.unit.adapters.scene import Scene
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.caller import HttpCaller
from ultra_recovery.adapters.http.probe import HttpProber
from ultra_recovery.adapters.http.prometheus import PrometheusProber
from ultra_recovery.adapters.http.resolve import Lookup, Resolver
from ultra_recovery.adapters.http.transport import Transport
from ultra_recovery.adapters.tcp import TcpProber
from ultra_recovery.apis.circuit_breaker import HttpTarget, PrometheusTarget, ServiceRef, TcpTarget
from ultra_recovery.apis.endpoint import HttpEndpoint
from ultra_recovery.core.call import Call, CallResult
from ultra_recovery.core.probe import ProbeResult

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
        self.look_up: Lookup = self._look_up
        policy, clock = LoopbackPolicy(parse_rules("*.example.com")), SystemClock()
        resolver, transport = Resolver(self.scene.view, policy, self._resolve), Transport("ultra-recovery/test")
        self.prober = HttpProber(resolver, transport, clock)
        self.tcp = TcpProber(resolver, clock)
        self.prometheus = PrometheusProber(resolver, transport, clock)
        stack.push_async_callback(transport.close)
        self.policy = policy
        self.caller = HttpCaller(self.scene.view, policy, clock, "ultra-recovery/test", self._resolve)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        return await self.look_up(host, port)

    @staticmethod
    async def settle() -> None:
        """Let servers take what has been sent to them."""
        await SystemClock().sleep(0.01)

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """Each question takes the next answer of the name."""
        self.asked.append(host)
        if host not in self.names:
            raise OSError(host)
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

    async def serve_raw(
        self,
        handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        *,
        host: str = "127.0.0.1",
    ) -> int:
        """Start a server below HTTP; returns its port."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handle(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, host, 0)
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

    async def call(
        self,
        within: float = LONG,
        *,
        namespace: str = "shop",
        method: str = "POST",
        body: bytes = b"{}",
        headers: Mapping[str, str] | None = None,
        **endpoint: object,
    ) -> CallResult:
        wanted = HttpEndpoint.model_validate(endpoint if "url" in endpoint else {"service_ref": ORDERS, **endpoint})
        return await self.caller.call(namespace, Call(wanted, method, body, within, headers or {}))

    async def connect(self, within: float = LONG, **target: object) -> ProbeResult:
        return await self.tcp.probe("shop", TcpTarget.model_validate(target or {"service_ref": ORDERS}), within)

    async def ask(self, within: float = LONG, **target: object) -> ProbeResult:
        place = {} if "url" in target else {"service_ref": ORDERS}
        full = {**place, "query": "up == 1", "comparison": "Below", "threshold": "0.05", **target}
        return await self.prometheus.probe("shop", PrometheusTarget.model_validate(full), within)

    async def probe_service(self, within: float = LONG, **target: object) -> ProbeResult:
        return await self.probe(within, service_ref=ORDERS, **target)


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
