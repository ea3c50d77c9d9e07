"""Puts the engine together from ports: the wiring gives it adapters, tests the in-memory twins."""

from __future__ import annotations

from collections.abc import Sequence

from ultra_recovery.engine.breakers import Breakers
from ultra_recovery.engine.engine import Engine
from ultra_recovery.engine.gather import Gatherer
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.policies import Policies
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.runs import Runs
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.target_lease import TargetLeases
from ultra_recovery.ports import Clock, Cluster, Leases, Objects, Prober, Random, Sink


def build_engine(
    table: Table,
    objects: Objects,
    cluster: Cluster,
    leases: Leases,
    prober: Prober,
    sinks: Sequence[Sink],
    clock: Clock,
    random: Random,
    leadership: Leadership,
) -> Engine:
    """Build the engine around a table that others feed."""
    recorder = Recorder(objects, table, leadership, sinks)
    breakers = Breakers(table, prober, recorder, clock, random)
    gatherer = Gatherer(table, breakers, clock)
    targets = TargetLeases(leases, clock)
    policies = Policies(table, gatherer, recorder, leadership, targets, objects, clock)
    runs = Runs(table, gatherer, recorder, leadership, targets, cluster, breakers, clock)
    return Engine(table, objects, leadership, gatherer, breakers, policies, runs, recorder, clock)
