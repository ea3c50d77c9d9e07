"""The world of an operator on in-memory twins, in real time."""

from __future__ import annotations

from collections.abc import Sequence

from ultra_recovery.adapters.clock import SystemClock, SystemRandom
from ultra_recovery.adapters.memory.api import MemoryApi
from ultra_recovery.adapters.memory.caller import ScriptedCaller
from ultra_recovery.adapters.memory.databases import MemoryDatabases
from ultra_recovery.adapters.memory.messenger import MemoryMessenger
from ultra_recovery.engine.assembly import World
from ultra_recovery.ports import Prober, Sink


def world_on(api: MemoryApi, prober: Prober, clock: SystemClock, sinks: Sequence[Sink] = ()) -> World:
    """Everything outside an engine: the API server is pretended, probes are made by `prober`."""
    return World(
        objects=api,
        cluster=api,
        leases=api,
        jobs=api,
        caller=ScriptedCaller(clock),
        messenger=MemoryMessenger(),
        databases=MemoryDatabases(),
        prober=prober,
        sinks=sinks,
        clock=clock,
        random=SystemRandom(),
    )
