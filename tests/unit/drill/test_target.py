"""The service that a drill breaks, and the request that does it."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from ultra_recovery.adapters.http.shove import shove
from ultra_recovery.core.errors import Unavailable
from ultra_recovery.drill.target import application


async def test_it_is_ready_until_it_is_shoved():
    runner = web.AppRunner(application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = int(runner.addresses[0][1])
        async with aiohttp.ClientSession() as session:

            async def answers() -> int:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    return response.status

            assert await answers() == 200
            await shove("127.0.0.1", port)
            assert await answers() == 503
    finally:
        await runner.cleanup()


async def test_a_pod_that_cannot_be_reached_is_told():
    with pytest.raises(Unavailable, match=r"pod 127\.0\.0\.1 cannot be reached"):
        await shove("127.0.0.1", 1)
