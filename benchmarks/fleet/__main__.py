"""Usage: python -m benchmarks.fleet [NUMBER…] [--tls] [--no-peer]. Default: 100 1000 10000. On the local cluster."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.fleet import world
from benchmarks.fleet.certificate import certificate
from benchmarks.fleet.figures import Figures, Lateness, table
from benchmarks.fleet.peer import peer_commands
from benchmarks.fleet.probers import FIRST_PORT, bare, operator, ready
from benchmarks.fleet.process import Child
from benchmarks.fleet.targets import ARRIVALS
from e2e.cluster.local.network import MACHINE
from ultra_recovery.adapters.kubernetes.connection import Connection

INTERVAL = 30.0
WINDOW = 60.0
SETTLE = 25.0
NUMBERS = (100, 1000, 10_000)
Children = Callable[[], list[Child]]


def arrivals(scheme: str) -> dict[str, list[float]]:
    """What the targets have seen since they were asked last."""
    command = ["curl", "-sk", f"{scheme}://{MACHINE}:{FIRST_PORT}{ARRIVALS}"]
    found: dict[str, list[float]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def measure(name: str, count: int, start: Children, scheme: str, *, counts_writes: bool = False) -> Figures:
    """Start the processes, wait until every target was asked, then watch them for two intervals."""
    arrivals(scheme)
    children = start()
    try:
        began, seen = time.monotonic(), dict[str, float]()
        while len(seen) < count:
            time.sleep(1)
            for path, times in arrivals(scheme).items():
                seen.setdefault(path, times[0])
            if not all(child.alive for child in children):
                raise SystemExit(f"{name} has ended: see {[str(child.log) for child in children]}")
            if time.monotonic() - began > 180:
                raise SystemExit(f"{name} has asked {len(seen)} of {count} targets after three minutes")
        ready = max(seen.values()) - began
        # First statuses are written within ten seconds; a steady state has none.
        time.sleep(SETTLE)
        arrivals(scheme)
        cpu, written, at = (
            sum(child.cpu() for child in children),
            world.writes() if counts_writes else 0,
            time.monotonic(),
        )
        time.sleep(WINDOW + 5)
        share = WINDOW / (time.monotonic() - at)
        spent = (sum(child.cpu() for child in children) - cpu) * share
        found = arrivals(scheme)
        return Figures(
            name,
            count,
            spent,
            round(sum(len(times) for times in found.values()) * share),
            Lateness.of(found, INTERVAL),
            sum(child.memory() for child in children),
            ready,
            world.writes() - written if counts_writes else None,
        )
    finally:
        for child in children:
            child.__exit__(None, None, None)


async def prepare(count: int, *, secure: bool) -> None:
    """Put the breakers into the cluster."""
    async with await Connection.open(os.environ["KUBECONFIG"]) as connection:
        await world.build(connection, MACHINE, FIRST_PORT, secure=secure)
        await world.make_breakers(connection, count, secure=secure)


def first_start(folder: Path, count: int) -> None:
    """Let the operator write the first status of so many new breakers, which no later start has to do."""
    before, began = world.writes(), time.monotonic()
    with operator(folder) as child:
        seen, now = -1, before
        while now != seen or now < before + count:
            time.sleep(5)
            seen, now = now, world.writes()
            if not child.alive or time.monotonic() - began > 600:
                raise SystemExit(f"{now - before} of {count} first statuses were written: see {child.log}")
        took, spent = time.monotonic() - began - 5, child.cpu()
    print(f"first start of {count:,}: all statuses written after {took:.0f} s, {spent:.0f} s of CPU", flush=True)


def rows_for(count: int, there: int, folder: Path, scheme: str, *, peer: bool) -> list[Figures]:
    """All probers on the same targets, one after the other; `there` of the breakers have their statuses already."""
    asyncio.run(prepare(count, secure=scheme == "https"))
    first_start(folder, count - there)
    rows = [
        measure("bare aiohttp loop", count, lambda: [bare(folder, count, scheme)], scheme),
        measure("Ultra Recovery", count, lambda: [operator(folder)], scheme, counts_writes=True),
    ]
    if peer:
        commands = peer_commands(folder, [f"{scheme}://{MACHINE}:{p}" for p in world.paths(count, FIRST_PORT)])
        start = [(argv, folder / f"peer-{number}.log") for number, argv in enumerate(commands)]
        rows.append(
            measure("Prometheus + blackbox_exporter", count, lambda: [Child(argv, log) for argv, log in start], scheme)
        )
    return rows


def main(words: Sequence[str]) -> None:
    """Measure and print."""
    if not ready("fleet"):
        return
    numbers = sorted({int(word) for word in words if word.isdecimal()}) or list(NUMBERS)
    secure, peer = "--tls" in words, "--no-peer" not in words
    scheme, rows = "https" if secure else "http", list[Figures]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = certificate(folder) if secure else []
        argv = [sys.executable, "-m", "benchmarks.fleet.targets", MACHINE, str(FIRST_PORT), str(world.PORTS), *pair]
        world.remove()
        try:
            with Child(argv, folder / "targets.log"):
                time.sleep(2)
                for there, count in pairwise([0, *numbers]):
                    rows += rows_for(count, there, folder, scheme, peer=peer)
                    print(table(rows, {row.targets: row for row in rows if row.name.startswith("bare")}), flush=True)
        finally:
            shutil.copytree(folder, ".cluster/fleet-logs", dirs_exist_ok=True, ignore=lambda *_: ["data"])
            world.remove()


if __name__ == "__main__":
    main(sys.argv[1:])
