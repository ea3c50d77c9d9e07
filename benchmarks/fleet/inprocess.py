"""The engine with real probes and no cluster: the API server is in memory, the targets are another process.

Usage: python -m benchmarks.fleet.inprocess [NUMBER] [--profile] [--tls]. For finding what costs; the table of the
documents comes from the cluster, where lists and watches cost what they cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.fleet.certificate import certificate
from benchmarks.fleet.figures import Lateness
from benchmarks.fleet.process import Child
from benchmarks.fleet.sampling import Sampler
from benchmarks.fleet.targets import ARRIVALS
from benchmarks.fleet.world import PORTS, fleet_documents, paths
from benchmarks.twins import world_on
from ultra_recovery.adapters import heap
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.transport import Transport
from ultra_recovery.adapters.kubernetes.lists import PIECE, ListMemory, ListReader
from ultra_recovery.adapters.memory import MemoryApi, MemoryStore
from ultra_recovery.adapters.memory.secrets import MemorySecrets
from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.adapters.prober import build_prober
from ultra_recovery.core.objects import Kind
from ultra_recovery.engine.assembly import build_engine
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.rails import ClusterLimits
from ultra_recovery.engine.table import Table
from ultra_recovery.ports import Clock, Knows, Take

ADDRESS, FIRST_PORT = "127.0.0.1", 23000
INTERVAL, WINDOW = 30.0, 60.0


class Anywhere:
    """An address policy for targets on this machine: production has none that allows loopback."""

    def refuse_pod(self, address: str) -> str | None:  # noqa: ARG002 - a port
        """Nothing is refused."""
        return None

    def refuse_name(self, host: str, port: int) -> str | None:  # noqa: ARG002 - a port
        """Nothing is refused."""
        return None

    def refuse_raw(self, host: str, address: str, port: int) -> str | None:  # noqa: ARG002 - a port
        """Nothing is refused."""
        return None


class Listed(MemoryApi):
    """Lists as a server sends them: text, which is read piece by piece."""

    def __init__(self, clock: Clock, store: MemoryStore) -> None:
        super().__init__(clock, store)
        self._memories: defaultdict[Kind, ListMemory] = defaultdict(ListMemory)

    async def list(self, kind: Kind, take: Take, knows: Knows) -> str:
        version, items = self.store.version, [item for key, item in self.store.documents.items() if key.kind is kind]
        page = {"items": items, "metadata": {"resourceVersion": version}}
        text = (await asyncio.to_thread(json.dumps, page, separators=(",", ":"), sort_keys=True)).encode()
        memory = self._memories[kind]
        memory.begin()
        reader = ListReader(memory, knows)
        for begin in range(0, len(text), PIECE):
            for document in reader.feed(text[begin : begin + PIECE]):
                take(document)
            await asyncio.sleep(0)
        for document in reader.finish()[1]:
            take(document)
        memory.end()
        return version


def arrivals(scheme: str) -> dict[str, list[float]]:
    """What the targets have seen since they were asked last."""
    command = ["curl", "-sk", f"{scheme}://{ADDRESS}:{FIRST_PORT}{ARRIVALS}"]
    found: dict[str, list[float]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


async def run(count: int, scheme: str, sampler: Sampler | None) -> None:
    """Lead over so many breakers and print what that costs."""
    clock, table = SystemClock(), Table()
    store = MemoryStore(clock)
    for kind, document in fleet_documents(count, ADDRESS, FIRST_PORT, secure=scheme == "https"):
        store.add(kind, document)
    api, sinks = Listed(clock, store), [MetricsSink()]
    transport = Transport("benchmark")
    world = world_on(api, build_prober(table, Anywhere(), transport, MemorySecrets(), clock), clock, sinks)
    engine = build_engine(table, world, Leadership(api, clock, "default", "bench"), ClusterLimits())
    store.subscribe(lambda kind, document, deleted: engine.feed(kind, document, deleted=deleted))
    await asyncio.to_thread(arrivals, scheme)
    began, used = time.monotonic(), cpu()
    task = asyncio.ensure_future(engine.run())
    tending = asyncio.ensure_future(heap.tend(engine.synced))
    try:
        seen: dict[str, float] = {}
        while len(seen) < count and not task.done():
            await asyncio.sleep(1)
            for path, times in (await asyncio.to_thread(arrivals, scheme)).items():
                seen.setdefault(path, times[0])
        print(f"all probed after {max(seen.values()) - began:.1f} s, {cpu() - used:.1f} s of CPU", flush=True)
        await asyncio.sleep(12)
        await asyncio.to_thread(arrivals, scheme)
        await measure(api, scheme, sampler)
    finally:
        task.cancel()
        tending.cancel()
        await asyncio.gather(task, tending, return_exceptions=True)
        await transport.close()


def floor(count: int, scheme: str, folder: Path) -> None:
    """The bare loop on the same targets."""
    urls = folder / "urls"
    urls.write_text("\n".join(f"{scheme}://{ADDRESS}:{place}" for place in paths(count, FIRST_PORT)))
    argv = [sys.executable, "-m", "benchmarks.fleet.bare", str(urls), *(["--tls"] if scheme == "https" else [])]
    with Child(argv, folder / "bare.log") as child:
        time.sleep(INTERVAL + 5)
        arrivals(scheme)
        used = child.cpu()
        time.sleep(WINDOW)
        spent, found = child.cpu() - used, arrivals(scheme)
        print(f"bare loop: {sentence(spent, found)}; {child.memory():.0f} MiB", flush=True)


def sentence(spent: float, found: Mapping[str, Sequence[float]]) -> str:
    """What probes cost, and how late they came."""
    late, probes = Lateness.of(found, INTERVAL), sum(len(times) for times in found.values())
    return (
        f"{spent:.2f} s of CPU per minute, {probes} probes, {spent / probes * 1e6:.0f} µs each; "
        f"late p50/p99/max {late.median:.1f}/{late.p99:.1f}/{late.most:.0f} ms"
    )


def cpu() -> float:
    """CPU seconds of this process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def resident() -> float:
    """MiB in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


async def measure(api: MemoryApi, scheme: str, sampler: Sampler | None) -> None:
    """Watch two intervals."""
    written, used = len(api.requests), cpu()
    if sampler is not None:
        sampler.start()
    stalls, until = list[float](), time.monotonic() + WINDOW
    while (now := time.monotonic()) < until:
        await asyncio.sleep(0.005)
        stalls.append(time.monotonic() - now - 0.005)
    spent = cpu() - used
    if sampler is not None:
        print(sampler.stop())
    found = await asyncio.to_thread(arrivals, scheme)
    worst = ", ".join(f"{1000 * stall:.0f}" for stall in sorted(stalls)[-8:])
    writes = sum(request.mutating and request.kind != "Lease" for request in api.requests[written:])
    print(
        f"the engine: {sentence(spent, found)}; worst stalls of the loop {worst} ms; "
        f"{resident():.0f} MiB with the API server; {writes} writes"
    )


def main(words: Sequence[str]) -> None:
    """Measure once."""
    count = next((int(word) for word in words if word.isdecimal()), 10_000)
    scheme = "https" if "--tls" in words else "http"
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        pair = certificate(folder) if scheme == "https" else []
        argv = [sys.executable, "-m", "benchmarks.fleet.targets", ADDRESS, str(FIRST_PORT), str(PORTS), *pair]
        stack.enter_context(Child(argv, folder / "targets.log"))
        time.sleep(2)
        floor(count, scheme, folder)
        asyncio.run(run(count, scheme, Sampler() if "--profile" in words else None))


if __name__ == "__main__":
    main(sys.argv[1:])
