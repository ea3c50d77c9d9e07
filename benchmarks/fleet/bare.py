"""The floor: a bare asyncio loop that asks every target each 30 s with the same HTTP client, and does nothing else.

Usage: python -m benchmarks.fleet.bare URLS_FILE [--tls]. A new connection for each request, as the operator does.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import sys
import time
from pathlib import Path

import aiohttp

INTERVAL = 30.0
AT_ONCE = 512


async def ask(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(5), session.get(url, allow_redirects=False) as response:
        await response.content.read(65536)


async def run(urls: list[str], *, tls: bool) -> None:
    """Ask for ever."""
    connector = aiohttp.TCPConnector(limit=AT_ONCE, force_close=True, ssl=not tls)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        start, order = time.monotonic(), itertools.count()
        queue = [(start + random.random() * INTERVAL, next(order), url) for url in urls]
        heapq.heapify(queue)
        tasks: set[asyncio.Task[None]] = set()
        while True:
            due, _, url = heapq.heappop(queue)
            await asyncio.sleep(max(due - time.monotonic(), 0))
            task = asyncio.create_task(ask(session, url))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            heapq.heappush(queue, (due + INTERVAL, next(order), url))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]).read_text().split(), tls="--tls" in sys.argv))
