"""What the pods of a drill run: a service that is ready until a request breaks it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ultra_recovery.stopping import told_to_stop


def application() -> web.Application:
    """`GET /readyz` answers 200, and 503 after a `POST /break`."""
    app = web.Application()
    broken = asyncio.Event()

    async def ready(_: web.Request) -> web.Response:
        return web.Response(status=503 if broken.is_set() else 200, text="broken\n" if broken.is_set() else "ok\n")

    async def take_the_blow(_: web.Request) -> web.Response:
        broken.set()
        return web.Response(text="broken\n")

    app.router.add_get("/readyz", ready)
    app.router.add_post("/break", take_the_blow)
    return app


async def serve(port: int) -> int:
    """Serve until told to stop; the exit code."""
    stop = told_to_stop()
    runner = web.AppRunner(application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()
        await stop.wait()
    finally:
        await runner.cleanup()
    return 0
