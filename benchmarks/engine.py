"""How fast the engine decides and reacts, on in-memory twins of the API server and in real time.

Usage: python -m benchmarks.engine [decisions] [reaction] [opening] [budgets]. Default: all. Each request to the
pretended API server takes 5 ms. Figures stand beside a floor that was measured in the same run.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.twins import world_on
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.memory import MemoryApi, MemoryStore, ScriptedProber, Workloads
from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker import step
from ultra_recovery.core.breaker_state import EVENT_OF, Happening, Snapshot, first_snapshot
from ultra_recovery.core.objects import Kind, Run
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.engine.assembly import build_engine
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.rails import ClusterLimits
from ultra_recovery.engine.table import Table

LATENCY = 0.005
PROBE = {"interval": "1s", "timeout": "1s", "trialInterval": "1s"}


@dataclass(frozen=True, slots=True)
class Scene:
    """An operator that leads, and the cluster around it."""

    store: MemoryStore
    workloads: Workloads
    prober: ScriptedProber
    api: MemoryApi
    table: Table

    def put(self, kind: Kind, namespace: str, name: str, spec: dict[str, Any]) -> None:
        meta = {"name": name, "namespace": namespace}
        self.store.add(kind, {"apiVersion": API_VERSION, "kind": kind.value, "metadata": meta, "spec": spec})

    def breaker(self, namespace: str, name: str, **spec: Any) -> None:
        """Opens at the first failure; its target is known to the prober by its own name."""
        target = {"http": {"serviceRef": {"name": name, "port": 80}}}
        self.put(Kind.BREAKER, namespace, name, {"target": target, "probe": PROBE, "failureThreshold": 1, **spec})

    def policy(self, namespace: str, name: str, trigger: dict[str, Any], pods: str) -> None:
        """Restarts the pods of the Deployment of its name."""
        self.workloads.deployment(namespace, name, 2)
        spec = {
            "targetRef": {"kind": "Deployment", "name": name},
            "triggers": [trigger],
            "ladder": [{"name": "restart", "action": {"restartPods": {"pods": pods}}, "timeout": "60s"}],
        }
        self.put(Kind.POLICY, namespace, name, spec)

    def states(self) -> list[BreakerState | None]:
        return [item.status.state for item in self.table.select(Kind.BREAKER)]  # type: ignore[union-attr]


@asynccontextmanager
async def operator(fill: Callable[[Scene], None], limits: ClusterLimits | None = None) -> AsyncIterator[Scene]:
    """An operator on a store that was filled before."""
    clock, table = SystemClock(), Table()
    store = MemoryStore(clock)
    api, prober = MemoryApi(clock, store), ScriptedProber(clock)
    scene = Scene(store, Workloads(store), prober, api, table)
    fill(scene)
    api.latency = LATENCY
    world = world_on(api, prober, clock)
    engine = build_engine(table, world, Leadership(api, clock, "default", "bench"), limits or ClusterLimits())
    store.subscribe(lambda kind, document, deleted: engine.feed(kind, document, deleted=deleted))
    task = asyncio.ensure_future(engine.run())
    try:
        yield scene
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: str, holds: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait, looking each 2 ms; the moment at which it held."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"it did not come to this within {seconds:g} s: {what}")
        await asyncio.sleep(0.002)
    return time.monotonic()


async def decisions() -> None:
    """The pure core: what a probe's result makes of a breaker. The floor: making the event alone."""
    spec = CircuitBreakerSpec.model_validate({"target": {"http": {"serviceRef": {"name": "db", "port": 80}}}})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    outcomes = (*(Outcome.SUCCESS,) * 8, *(Outcome.FAILURE,) * 4)

    def story(take: Callable[[Snapshot, Happening, datetime], Snapshot]) -> float:
        snapshot, began, at = first_snapshot(now), time.perf_counter(), now
        for number in range(120_000):
            at += timedelta(seconds=30)
            outcome = outcomes[number % len(outcomes)]
            result = ProbeResult(outcome, Reason.PROBE_FAILED, "no answer", at, at)
            snapshot = take(snapshot, Happening(EVENT_OF[outcome], snapshot.epoch, result, 0.5), at)
        return 120_000 / (time.perf_counter() - began)

    floor = story(lambda snapshot, _, __: snapshot)
    found = story(lambda snapshot, happening, at: step(snapshot, happening, spec, at).after)
    print(f"pure core: {found:,.0f} results of probes per second (making the events alone: {floor:,.0f})")


async def reaction() -> None:
    """From the probe that decides to the first eviction, over a hundred faults, four a second."""
    count = 100

    def fill(scene: Scene) -> None:
        for number in range(count):
            space = f"space-{number}"
            scene.breaker(space, f"dep-{number}")
            scene.policy(space, f"app-{number}", {"name": "db", "circuitOpen": {"breaker": f"dep-{number}"}}, "All")

    async with operator(fill, ClusterLimits(cluster=1000)) as scene:
        await until("all Closed", lambda: scene.states() == [BreakerState.CLOSED] * count)
        await asyncio.sleep(12)
        scene.prober.calls.clear()
        failing: dict[str, float] = {}
        for number in range(count):
            scene.prober.set(f"dep-{number}", Outcome.FAILURE)
            failing[f"space-{number}"] = scene.store.clock.boottime()
            await asyncio.sleep(0.25)
        await asyncio.sleep(10)
        effects: dict[str, float] = {}
        for request in scene.api.requests:
            if request.verb == "evict":
                effects.setdefault(request.namespace, request.time)
        decided = {
            space: min(call.time for call in scene.prober.calls if call.namespace == space and call.time >= since)
            for space, since in failing.items()
        }
        # Four requests lie between: the breaker's status, the run, its plan, and the effect's intent.
        _print_delays(
            f"{len(effects)} of {count} faults: from the deciding probe to the first eviction",
            [effects[space] - decided[space] for space in effects],
        )


async def opening() -> None:
    """A thousand breakers whose targets die at one moment. The floor: a thousand writes by the same client, bare."""
    count = 1000

    def fill(scene: Scene) -> None:
        for number in range(count):
            scene.breaker(f"space-{number % 10}", f"dep-{number}")

    async with operator(fill) as scene:
        await until("all Closed", lambda: scene.states() == [BreakerState.CLOSED] * count)
        await asyncio.sleep(15)
        began = time.monotonic()
        for number in range(count):
            scene.prober.set(f"dep-{number}", Outcome.FAILURE)
        done = await until("all Open", lambda: scene.states().count(BreakerState.OPEN) == count) - began
        gate, items = asyncio.Semaphore(32), scene.table.select(Kind.BREAKER)

        async def write(item: Any) -> None:
            async with gate:
                await scene.api.write_status(item.meta.key, {"state": "Closed"}, {"state": "Open"}, item.meta.version)

        began = time.monotonic()
        await asyncio.gather(*(write(item) for item in items), return_exceptions=True)
        floor = time.monotonic() - began
    print(f"{count} breakers opening: all written {done:.2f} s after the fault, of which up to 1 s is the probes'")
    print(f"interval (the same writes alone, 32 at once: {floor:.2f} s)")


async def budgets() -> None:
    """Five hundred policies with incidents at once: as many runs have effects as the budget of the cluster allows."""
    spaces, each, allowed = 125, 4, 120

    def fill(scene: Scene) -> None:
        for number in range(spaces * each):
            trigger = {"name": "pods", "podUnhealthy": {}, "for": "2s"}
            scene.policy(f"space-{number % spaces}", f"app-{number}", trigger, "Unhealthy")

    async with operator(fill, ClusterLimits(cluster=allowed)) as scene:
        await asyncio.sleep(5)
        for key in [key for key in scene.store.documents if key.kind is Kind.POD]:
            scene.workloads.set_ready(key, False)
        began, settled = time.monotonic(), 0
        while time.monotonic() - began < 90 and settled < 10:
            before = _with_effect(scene)
            await asyncio.sleep(1)
            settled = settled + 1 if _with_effect(scene) == before >= 1 else 0
        found = _with_effect(scene)
        targets = len({request.name for request in scene.api.requests if request.verb == "evict"})
    verdict = "exact" if found == allowed else "NOT EXACT"
    print(f"{spaces * each} policies with incidents at once: {found} runs with effects, {allowed} allowed: {verdict};")
    print(f"{targets} pods evicted within {time.monotonic() - began - settled:.0f} s")
    if found != allowed:
        raise SystemExit(1)


def _with_effect(scene: Scene) -> int:
    runs = scene.table.select(Kind.RUN)
    return sum(isinstance(run, Run) and run.had_effect for run in runs)


def _print_delays(what: str, delays: Sequence[float]) -> None:
    ordered = sorted(delays)
    print(
        f"{what}: p50 {1000 * statistics.median(ordered):.0f} ms, p95 {1000 * ordered[int(len(ordered) * 0.95)]:.0f} "
        f"ms, max {1000 * ordered[-1]:.0f} ms (a request takes {1000 * LATENCY:.0f} ms)"
    )


PARTS = {"decisions": decisions, "reaction": reaction, "opening": opening, "budgets": budgets}


def main(words: Sequence[str]) -> None:
    """Measure what was asked for."""
    for name in words or PARTS:
        asyncio.run(PARTS[name]())
        gc.collect()


if __name__ == "__main__":
    main(sys.argv[1:])
