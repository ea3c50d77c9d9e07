"""Puts the engine together from ports: the wiring gives it adapters, tests the in-memory twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ultra_recovery.actions.performer import Toolbox
from ultra_recovery.database_ports import Databases
from ultra_recovery.engine.blocked import BlockedTeller
from ultra_recovery.engine.breaker_watch import BreakerWatch
from ultra_recovery.engine.breakers import Breakers
from ultra_recovery.engine.creators import Creators
from ultra_recovery.engine.engine import Engine
from ultra_recovery.engine.fresh_look import FreshLook
from ultra_recovery.engine.gather import Gatherer
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.ledger import Ledger
from ultra_recovery.engine.policies import Policies
from ultra_recovery.engine.rails import ClusterLimits, RailsReader
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.retention import Retention
from ultra_recovery.engine.run_effects import RunEffects
from ultra_recovery.engine.run_leases import RunLeases
from ultra_recovery.engine.runs import Runs
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.target_lease import TargetLeases
from ultra_recovery.ports import (
    Caller,
    Clock,
    Cluster,
    Jobs,
    Leases,
    Messenger,
    Objects,
    Prober,
    Random,
    Reviewer,
    Sink,
)


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside the engine, by port.

    Attributes:
        reviewer: who says what a policy's ServiceAccount may do; None: that is not asked.
        image: our own image, for the Jobs of databases; "": they cannot be created.
    """

    objects: Objects
    cluster: Cluster
    leases: Leases
    jobs: Jobs
    caller: Caller
    messenger: Messenger
    databases: Databases
    prober: Prober
    sinks: Sequence[Sink]
    clock: Clock
    random: Random
    image: str = ""
    reviewer: Reviewer | None = None


def build_engine(table: Table, world: World, leadership: Leadership, limits: ClusterLimits) -> Engine:
    """Build the engine around a table that others feed."""
    clock = world.clock
    recorder = Recorder(world.objects, table, leadership, world.sinks)
    breakers = Breakers(table, world.prober, recorder, clock, world.random)
    ledger = Ledger(clock)
    table.subscribe(ledger.changed)
    creators = Creators(world.reviewer, clock)
    gatherer = Gatherer(table, breakers, ledger, RailsReader(table, ledger, limits), creators, clock)
    targets = TargetLeases(world.leases, clock)
    blocked = BlockedTeller(world.messenger)
    tools = Toolbox(table, world.cluster, world.jobs, world.caller, world.messenger, world.databases, world.image)
    policies = Policies(table, gatherer, recorder, leadership, targets, world.objects, ledger, creators, blocked, clock)
    effects = RunEffects(tools, leadership, clock)
    watch = BreakerWatch(breakers)
    leases = RunLeases(targets, clock)
    fresh = FreshLook(table, world.objects)
    runs = Runs(table, gatherer, recorder, leadership, leases, creators, effects, watch, fresh, clock)
    retention = Retention(table, world.objects, leadership, clock)
    return Engine(table, world.objects, leadership, gatherer, breakers, policies, runs, retention, recorder, clock)
