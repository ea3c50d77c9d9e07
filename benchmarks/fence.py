"""How long a request lies between the last look at the leader's right to act and the socket of its receiver.

A process that is frozen just then, and goes on a minute later, sends that one request. The floor is a bare socket.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time

from kubernetes.aio.client import Configuration

from ultra_recovery.adapters.kubernetes.connection import Connection

ROUNDS, WARM_UP = 2_000, 100
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Receiver(threading.Thread):
    """Notes when each request arrives, outside of the loop that sends it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.arrived: list[float] = []

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while connection.recv(65536):
                self.arrived.append(time.perf_counter())
                connection.sendall(ANSWER)


class NoCredentials:
    """The receiver asks for none."""

    async def refresh(self, configuration: Configuration) -> None:
        del configuration

    def refused(self) -> None:
        return None


def bare() -> list[float]:
    receiver = Receiver()
    receiver.start()
    left = []
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        for _ in range(ROUNDS):
            left.append(time.perf_counter())
            connection.sendall(b"x" * 400)
            connection.recv(65536)
    return [arrived - at for at, arrived in zip(left, receiver.arrived, strict=True)]


async def fenced() -> list[float]:
    receiver = Receiver()
    receiver.start()
    left: list[float] = []
    configuration = Configuration(host=f"http://127.0.0.1:{receiver.port}")
    async with Connection(configuration, NoCredentials()) as connection:
        looks: list[float] = []
        connection.guard(lambda: looks.append(time.perf_counter()))
        for _ in range(ROUNDS):
            await connection.request("PATCH", "/apis/x", body={"status": {"state": "Open"}})
            left.append(looks[-1])
    return [arrived - at for at, arrived in zip(left, receiver.arrived, strict=True)]


def show(name: str, times: list[float], floor: float) -> None:
    times = sorted(times[WARM_UP:])
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(f"{name:28}{p50 * 1e3:9.3f}{p99 * 1e3:9.3f}{times[-1] * 1e3:9.3f}{p50 / floor:12.1f}")


def main() -> None:
    """Measure and print."""
    base = bare()
    floor = statistics.median(base[WARM_UP:])
    print(f"\n{'from look to receiver':28}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'x socket':>12}")
    show("bare socket", base, floor)
    show("a write behind the fence", asyncio.run(fenced()), floor)


if __name__ == "__main__":
    main()
