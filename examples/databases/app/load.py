"""Load at a steady rate: orders are sent whether or not those before were answered; each one's fate is a line of JSON.

    python3 /load.py --target http://orders --rate 20 --seconds 120

A line is {"order": ID, "at": when it was sent (seconds since 1970), "took": seconds, "ok": true = acknowledged,
"why": text}; the last one is {"sent": number of orders}. SIGTERM ends it early; what is under way is waited for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
import uuid
from urllib.parse import urlsplit

ITEMS = 5
MOST_PER_SECOND = 200.0
LONGEST = 900.0
ANSWER_BYTES = 2000


async def send(host: str, port: int, order: str, item: int, patience: float) -> str:
    """Send one order; empty when it was acknowledged, else why not."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                head = f"POST /work?order={order}&item={item} HTTP/1.0\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
                writer.write(head.encode())
                answer = (await reader.read(ANSWER_BYTES)).decode(errors="replace")
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {patience:g} s"
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror or error}"
    first, _, rest = answer.partition("\r\n")
    if " 200 " in f"{first} ":
        return ""
    return rest.partition("\r\n\r\n")[2].strip()[:200] or first or "the connection was closed"


async def one(host: str, port: int, order: str, item: int, patience: float) -> None:
    """Send one order and tell its fate."""
    at, began = time.time(), time.monotonic()
    why = await send(host, port, order, item, patience)
    tell({"order": order, "at": round(at, 3), "took": round(time.monotonic() - began, 3), "ok": not why, "why": why})


def tell(line: dict[str, object]) -> None:
    """One line of the record."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main(target: str, rate: float, seconds: float, patience: float) -> None:
    """Send orders at a rate, until the time is over or we are told to end."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    url = urlsplit(target)
    port = url.port or 80
    # Once: the load is about the service and its database, not about names.
    (_, _, _, _, address), *_ = await loop.getaddrinfo(url.hostname, port)
    run, began, number = uuid.uuid4().hex[:12], loop.time(), 0
    async with asyncio.TaskGroup() as under_way:
        while not ended.is_set() and number < rate * seconds:
            under_way.create_task(one(address[0], port, f"{run}-{number}", number % ITEMS + 1, patience))
            number += 1
            try:
                async with asyncio.timeout_at(began + number / rate):
                    await ended.wait()
            except TimeoutError:
                continue
    tell({"sent": number})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Load at a steady rate.")
    parser.add_argument("--target", required=True, help="address of the service, http://name:port")
    parser.add_argument("--rate", type=float, default=20.0, help="orders per second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds to wait for an answer")
    options = parser.parse_args()
    asyncio.run(
        main(options.target, min(options.rate, MOST_PER_SECOND), min(options.seconds, LONGEST), options.patience)
    )
