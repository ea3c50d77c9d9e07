"""How long status and dashboard take with 1,000 breakers and 10,000 runs, beside a route of FastAPI that says hello.

Both are served by the same server in the same process, and are asked in turn over one connection each.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.memory import MemoryApi
from ultra_recovery.adapters.rest_metrics import RestMetrics
from ultra_recovery.apis.meta import format_time
from ultra_recovery.core.objects import Kind
from ultra_recovery.rest.app import build_application
from ultra_recovery.rest.assembly import build_services
from ultra_recovery.rest.auth.door import Door
from ultra_recovery.rest.auth.limiter import FailureLimiter
from ultra_recovery.rest.auth.token_file import TokenFile
from ultra_recovery.rest.server import build_server

BREAKERS, RUNS, NAMESPACES = 1_000, 10_000, 50
ROUNDS, WARM_UP = 400, 20
TOKEN = "t" * 48
PATHS = [
    "/api/recovery/status",
    "/api/recovery/dashboard",
    "/api/recovery/circuit-breaker/status",
    "/api/recovery/circuit-breaker/status?limit=500",
    "/api/recovery/runs",
    "/api/recovery/runs?phase=Failed",
]


def fill(api: MemoryApi) -> None:
    """A busy cluster: every tenth breaker is open, every tenth run failed."""
    now = datetime.now(UTC)
    for number in range(BREAKERS):
        state = "Open" if number % 10 == 0 else "Closed"
        api.store.add(
            Kind.BREAKER,
            {
                "metadata": {"name": f"b{number}", "namespace": f"n{number % NAMESPACES}"},
                "spec": {"target": {"http": {"serviceRef": {"name": "db", "port": 80}}}},
                "status": {"state": state, "epoch": number, "since": format_time(now), "message": "connection refused"},
            },
        )
    for number in range(RUNS):
        created = now - timedelta(minutes=number)
        phase = "Failed" if number % 10 == 0 else "Succeeded"
        times = {"faultObservedAt": created, "startedAt": created, "finishedAt": created + timedelta(seconds=30)}
        status = {"phase": phase, **{name: format_time(value) for name, value in times.items()}}
        status["steps"] = [{"name": "restart", "state": "Done", "effectCount": 1}]  # type: ignore[assignment]
        api.store.add(
            Kind.RUN,
            {
                "metadata": {
                    "name": f"r{number}",
                    "namespace": f"n{number % NAMESPACES}",
                    "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
                "spec": {"policyName": f"p{number % 200}", "cause": "Manual"},
                "status": status,
            },
        )


async def build(folder: Path) -> Any:
    """The API over a cluster in memory."""
    clock = SystemClock()
    api = MemoryApi(clock)
    fill(api)
    tokens = folder / "tokens.json"
    entry = {"name": "b", "sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "scopes": ["read"], "namespaces": ["*"]}
    tokens.write_text(json.dumps({"tokens": [entry]}))
    file = TokenFile(tokens, clock)
    file.load()
    metrics = RestMetrics()
    services = build_services(api, api, Door([file], FailureLimiter(clock)), clock, metrics)
    began = time.perf_counter()
    await services.cache.resync()
    print(f"first list of {BREAKERS} breakers and {RUNS} runs: {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    await services.cache.resync()
    print(f"another one, with nothing new:               {time.perf_counter() - began:.2f} s")
    return build_application(services, metrics.render), services


class Connection:
    """One connection that is kept open; a client of a few lines, so that its own time does not hide the server's."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def get(self, path: str) -> tuple[float, int]:
        """Milliseconds and bytes of one answer."""
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        began = time.perf_counter()
        self._writer.write(request.encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-l"))
        await self._reader.readexactly(length)
        return (time.perf_counter() - began) * 1000, length


async def serve(application: Any) -> tuple[int, asyncio.Future[None], uvicorn.Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = build_server(application, port, "127.0.0.1")
    serving = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    return port, serving, server


def hello() -> FastAPI:
    """The floor."""
    app = FastAPI()

    @app.get("/hello")
    async def say() -> dict[str, str]:
        return {"hello": "world"}

    return app


async def measure(connection: Connection, path: str) -> tuple[list[float], int]:
    times, size = [], 0
    for number in range(ROUNDS + WARM_UP):
        took, size = await connection.get(path)
        if number >= WARM_UP:
            times.append(took)
    return times, size


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        application, services = await build(Path(folder))
        servers = [await serve(application), await serve(hello())]
        api, floor = [Connection(port) for port, _, _ in servers]
        await api.open()
        await floor.open()
        print(f"\n{'':48}{'p50 ms':>9}{'p99 ms':>9}{'x hello':>9}{'KiB':>8}")
        base, _ = await measure(floor, "/hello")
        lowest = statistics.median(base)
        show("bare FastAPI: GET /hello", base, lowest, 0)
        for path in PATHS:
            times, size = await measure(api, path)
            show(path, times, lowest, size)
        times = []
        for number in range(20):
            # Something changed, and a second has passed: everything is counted again.
            services.cache.changes += 1
            services.dashboards._kept.clear()
            took, size = await api.get(f"/api/recovery/dashboard?n={number}")
            times.append(took)
        show("/api/recovery/dashboard, counted anew", times, lowest, size)
        for _, serving, server in servers:
            server.should_exit = True
            await serving


def show(name: str, times: list[float], lowest: float, size: int) -> None:
    p50, p99 = statistics.median(times), sorted(times)[int(len(times) * 0.99)]
    print(f"{name:48}{p50:9.2f}{p99:9.2f}{p50 / lowest:9.1f}{size / 1024:8.0f}")


if __name__ == "__main__":
    asyncio.run(main())
