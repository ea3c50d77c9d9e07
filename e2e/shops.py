"""Two shops side by side: the same app, the same database, the same load and the same fault; one of them is helped."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from e2e import databases as db
from e2e import help as helping
from e2e.bystander import Bystander
from e2e.database_table import Row
from e2e.databases import MARIADB, POSTGRES, STANDBY
from e2e.install import make_namespace
from e2e.kube import Kube, status, wait_for
from e2e.records import Record, results, runs_of
from e2e.scenarios import Scenario
from e2e.traffic import LedgerCheck, Outage, Traffic

REST = 12.0
"""How long a shop is watched in which nothing has to be done, or nothing can be."""
HELP = 120.0
RATE = 10.0
MEETING = 240.0


@dataclass(frozen=True)
class Fate:
    """What became of one shop: of its requests since the fault, and of its orders."""

    outage: Outage
    ledger: LedgerCheck


@dataclass(frozen=True)
class Comparison:
    """What became of both shops.

    Attributes:
        scenario: what happened.
        helped: the shop with help.
        alone: the shop without; its outage ends when the other one has recovered.
        results: steps of the first run that came to any, and their results.
        words: what that run says of each step: why, where the results are not what was expected.
        detected: seconds from the fault to its detection; None where no run was started.
        runs: how many runs there were.
    """

    scenario: Scenario
    helped: Fate
    alone: Fate
    results: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    detected: float | None
    runs: int

    def row(self) -> Row:
        """What the table says of it."""
        helped, alone = self.helped.outage, self.alone.outage
        return Row(
            self.scenario.name,
            self.scenario.title,
            self.scenario.variant,
            self.scenario.via,
            [f"{name}: {result}" for name, result in self.results],
            self.detected,
            helped.recovered,
            helped.failed,
            helped.sent,
            alone.recovered,
            alone.failed,
            alone.sent,
        )


class Pair:
    """The two shops of a lane."""

    def __init__(self, helped: Kube, alone: Kube) -> None:
        self._helped, self._alone = helped, alone

    def close(self) -> None:
        """Remove both."""
        for kube in (self._helped, self._alone):
            kube.run("delete", "namespace", kube.namespace, "--wait=false", "--ignore-not-found")

    def compare(self, scenario: Scenario) -> Comparison:
        """Let the same happen in both at once."""
        meeting = threading.Barrier(2)
        with ThreadPoolExecutor(2) as workers:
            helped = workers.submit(self._suffer, self._helped, scenario, meeting, helped=True)
            alone = workers.submit(self._suffer, self._alone, scenario, meeting, helped=False)
            troubles = [error for error in (helped.exception(), alone.exception()) if error]
            # Where one shop fails the other one waits in vain: that is not the trouble to tell of.
            for error in sorted(troubles, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
                raise error
            fate, runs, since = helped.result()
            other, _, _ = alone.result()
        first = next((run for run in runs if told(run)), None)
        done = told(first) if first else ()
        found = status(first).get("detectedAt")
        detected = datetime.fromisoformat(found).timestamp() - since if found else None
        words = tuple(step.get("message", "") for step in status(first).get("steps", []))
        return Comparison(scenario, fate, other, done, words, detected, len(runs))

    def _suffer(
        self, kube: Kube, scenario: Scenario, meeting: threading.Barrier, *, helped: bool
    ) -> tuple[Fate, Sequence[Record], float]:
        try:
            db.start_orders(kube, scenario.variant, scenario.via)
            if scenario.ledger == STANDBY:
                db.start_standby(kube)
            if helped:
                helping.watch(kube, scenario.watched, pooler=scenario.via == "pgbouncer")
                helping.enforce(kube, scenario.name, scenario.watched, scenario.steps)
            with Bystander(kube, scenario.ledger) if scenario.innocent else nullcontext():
                return self._endure(kube, scenario, meeting, helped=helped)
        except BaseException:
            meeting.abort()
            raise
        finally:
            if helped:
                helping.dismiss(kube, scenario.name)

    def _endure(
        self, kube: Kube, scenario: Scenario, meeting: threading.Barrier, *, helped: bool
    ) -> tuple[Fate, Sequence[Record], float]:
        with Traffic(kube, rate=RATE) as traffic:
            # On a busy machine the app is Ready some time before its Service leads there.
            traffic.wait_until_well(time.time())
            meeting.wait(MEETING)
            since, until, runs = time.time(), 0.0, []
            try:
                scenario.fault(kube)
                if helped:
                    runs = _await_help(kube, scenario, traffic, since)
                meeting.wait(MEETING)
                until = time.time()
            finally:
                scenario.undo(kube)
            traffic.wait_until_well(until)
            traffic.stop()
            check = db.ledger(kube, scenario.ledger, traffic)
            if helped and scenario.proof:
                scenario.proof(kube)
            return Fate(traffic.outage(since, until), check), runs, since


def told(run: Record) -> tuple[tuple[str, str], ...]:
    """The steps of a run that have a result; none where the fault went away before one acted."""
    return tuple(item for item in results(run) if item[1])


def _is_over(run: Record, scenario: Scenario) -> bool:
    return "finishedAt" in status(run) and bool(told(run) or not scenario.lasts)


def _await_help(kube: Kube, scenario: Scenario, traffic: Traffic, since: float) -> Sequence[Record]:
    """Wait until the first run has ended and the app has recovered for good, or there is nothing to wait for."""
    if scenario.meddle:
        scenario.meddle(kube)
    if not scenario.results:
        time.sleep(REST)
        return runs_of(kube, scenario.name)
    wait_for(
        lambda: any(_is_over(run, scenario) for run in runs_of(kube, scenario.name)),
        f"a run of {scenario.name} ends",
        seconds=HELP,
        instead=lambda: [status(run).get("steps") for run in runs_of(kube, scenario.name)],
    )
    if scenario.recovers:
        traffic.wait_until_well(since, HELP)
    return runs_of(kube, scenario.name)


def open_pair(scenarios: Sequence[Scenario]) -> Pair:
    """Two namespaces with the databases that the scenarios need."""
    name = uuid.uuid4().hex[:8]
    with ThreadPoolExecutor(2) as workers:
        helped, alone = workers.map(lambda kind: _open(f"e2e-{name}-{kind}", scenarios), ("helped", "alone"))
    return Pair(helped, alone)


def _open(name: str, scenarios: Sequence[Scenario]) -> Kube:
    kube = make_namespace(name)
    if any(scenario.watched == POSTGRES for scenario in scenarios):
        db.start_postgres(kube)
    if any(scenario.via == "pgbouncer" for scenario in scenarios):
        db.start_pgbouncer(kube)
    if any(scenario.watched == MARIADB for scenario in scenarios):
        db.start_mariadb(kube)
    return kube
