"""A thousand breakers whose targets die at one moment, on a real API server: until the last state is written.

Usage: python -m benchmarks.fleet.outage [NUMBER]. The floor: as many writes of the same statuses by the same client,
and nothing else. Both share this machine's cores with the API server and its store.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fleet import world
from benchmarks.fleet.probers import FIRST_PORT, operator, ready
from benchmarks.fleet.process import Child
from e2e.cluster.local.network import MACHINE
from e2e.kube import Kube
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.objects import KubernetesObjects
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.engine.write_gate import AT_ONCE

NUMBER = 1000
INTERVAL = 2
"""Seconds between two probes of a target; the first failure opens."""
QUIET = 15.0
"""Seconds after the last first status: then nothing is written any more."""
PATIENCE = 180.0
LINE = '{.metadata.namespace}/{.metadata.name} {.status.state}{"\\n"}'


WATCH = ("kubectl", "get", "circuitbreakers", "--all-namespaces", "--watch", "-o", f"jsonpath={LINE}")


class States:
    """The state of each breaker as a watch tells it, with the moment at which it was told first.

    An API server ends the watch of whoever takes its events too slowly, as kubectl may on a busy machine. The next
    watch begins with all there is, so nothing is missed, and nothing is told earlier than it was seen.
    """

    def __init__(self) -> None:
        self.since: dict[tuple[str, str], float] = {}
        self._stopped = threading.Event()
        self._watch = self._begin()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(WATCH, stdout=subprocess.PIPE, text=True)

    def _read(self) -> None:
        while True:
            with self._watch as watch:
                for line in watch.stdout or ():
                    name, _, state = line.strip().partition(" ")
                    self.since.setdefault((name, state), time.monotonic())
            if self._stopped.wait(0.1):
                return
            self._watch = self._begin()

    def times(self, state: str) -> list[float]:
        """When each breaker came into this state for the first time, in order."""
        return sorted(at for (_, found), at in list(self.since.items()) if found == state)

    def wait(self, state: str, count: int) -> list[float]:
        """The same, once so many have.

        Raises:
            SystemExit: they have not in time.
        """
        began = time.monotonic()
        while len(found := self.times(state)) < count:
            if time.monotonic() - began > PATIENCE:
                raise SystemExit(f"{len(found)} of {count} breakers are {state} after {PATIENCE:g} s")
            time.sleep(0.1)
        return found

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        while self._thread.is_alive():
            # Again, if it began another one at this very moment.
            self._watch.terminate()
            self._thread.join(0.2)


async def prepare(count: int) -> None:
    """Put the breakers into the cluster."""
    probe = {"interval": f"{INTERVAL}s", "timeout": "1s"}
    async with await Connection.open(os.environ["KUBECONFIG"]) as connection:
        await world.build(connection, MACHINE, FIRST_PORT)
        await world.make_breakers(connection, count, probe=probe, failureThreshold=1)


async def write_alone(items: Sequence[Mapping[str, Any]]) -> float:
    """Seconds that writing the statuses of these breakers takes, as many at once as the operator has."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with await Connection.open(os.environ["KUBECONFIG"]) as connection:
        objects = KubernetesObjects(connection)

        async def write(item: Mapping[str, Any]) -> None:
            meta = item["metadata"]
            key = Key(Kind.BREAKER, meta["namespace"], meta["name"])
            # All fields, as an opening writes nearly all, and one that differs: else the server stores nothing.
            status = {**item["status"], "message": "written alone"}
            async with gate:
                await objects.write_status(key, status, {}, meta["resourceVersion"])

        began = time.monotonic()
        await asyncio.gather(*(write(item) for item in items))
        return time.monotonic() - began


def measure(count: int, folder: Path) -> str:
    """Let the targets of all breakers die, and say how long it took until everybody could see it."""
    argv = [sys.executable, "-m", "benchmarks.fleet.targets", MACHINE, str(FIRST_PORT), str(world.PORTS)]
    states = States()
    try:
        with operator(folder) as child:
            with Child(argv, folder / "targets.log"):
                states.wait("Closed", count)
                time.sleep(QUIET)
            began, used = time.monotonic(), child.cpu()
            opened = states.wait("Open", count)
            spent = child.cpu() - used
        alone = asyncio.run(write_alone(Kube("default").list("circuitbreakers", "--all-namespaces")))
    finally:
        states.stop()
    took = [at - began for at in opened]
    return (
        f"{count:,} breakers, probed each {INTERVAL} s, whose targets die at one moment: half are Open for everybody "
        f"after {took[count // 2]:.1f} s, all after {took[-1]:.1f} s ({spent:.1f} s of CPU)\n"
        f"the same writes alone, {AT_ONCE} at once: {alone:.1f} s"
    )


def main(words: Sequence[str]) -> None:
    """Measure and print."""
    if not ready("outage"):
        return
    count = next((int(word) for word in words if word.isdecimal()), NUMBER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world.remove()
        try:
            asyncio.run(prepare(count))
            print(measure(count, folder), flush=True)
        finally:
            shutil.copytree(folder, ".cluster/fleet-logs", dirs_exist_ok=True)
            world.remove()


if __name__ == "__main__":
    main(sys.argv[1:])
