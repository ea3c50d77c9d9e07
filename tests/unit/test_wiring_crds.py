"""An operator whose cluster is too old for it waits, says so to everybody who looks, and then ends."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
import pytest

from ultra_recovery.wiring_crds import PATIENCE, await_crds

SENTENCE = "The CRD is too old. Run: kubectl apply -f crds/"


class Looking:
    """A clock whose pauses are spent on looking at what the process serves; no time passes but on this clock."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.time = 0.0
        self.seen: list[tuple[str, int, str]] = []
        self.signal: signal.Signals | None = None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def boottime(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.seen and self.signal is None:
            return
        async with aiohttp.ClientSession() as session:
            for path in ("/readyz?verbose", "/livez", "/metrics"):
                async with session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                    self.seen.append((path, answer.status, await answer.text()))
        if self.signal is not None:
            os.kill(os.getpid(), self.signal)


class Cluster:
    """Lacks something until it is asked for the nth time."""

    def __init__(self, mended_at: float = float("inf")) -> None:
        self.mended_at = mended_at
        self.asked = 0

    async def missing(self) -> Sequence[str]:
        self.asked += 1
        return [] if self.asked >= self.mended_at else [SENTENCE]


async def test_a_cluster_that_lacks_nothing_makes_no_wait_and_opens_no_port(unused_tcp_port: int):
    clock = Looking(unused_tcp_port)
    assert await await_crds(Cluster(1).missing, clock, "127.0.0.1", unused_tcp_port) is None
    assert clock.time == 0


async def test_while_it_waits_it_is_alive_not_ready_and_says_why(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
):
    clock, cluster = Looking(unused_tcp_port), Cluster()
    with caplog.at_level(logging.ERROR):
        assert await await_crds(cluster.missing, clock, "127.0.0.1", unused_tcp_port) == 1
    ready, live, metrics = clock.seen
    assert ready == ("/readyz?verbose", 503, f"[-]crds: {SENTENCE}\nnot ok\n")
    assert live[1] == 200
    assert "recovery_crds_outdated 1.0" in metrics[2]
    assert clock.time == PATIENCE
    assert [record.getMessage() for record in caplog.records].count(SENTENCE) == 1


async def test_it_goes_on_as_soon_as_the_crds_are_there(unused_tcp_port: int):
    clock = Looking(unused_tcp_port)
    assert await await_crds(Cluster(4).missing, clock, "127.0.0.1", unused_tcp_port) is None
    assert clock.time == 6.0
    # The port is free again for the operator itself.
    assert await await_crds(Cluster(2).missing, Looking(unused_tcp_port), "127.0.0.1", unused_tcp_port) is None


async def test_it_can_be_stopped_while_it_waits(unused_tcp_port: int):
    clock, cluster = Looking(unused_tcp_port), Cluster()
    clock.signal = signal.SIGTERM
    assert await await_crds(cluster.missing, clock, "127.0.0.1", unused_tcp_port) == 0
    assert cluster.asked < 5
