"""All experiments: references first, then the plan that follows from them, several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.matrix.experiment import Experiment, Laboratory, Report
from tests.matrix.faults import KILLS, SLOW, Blow, Fault, WatchFault
from tests.matrix.scenarios import Scenario

Say = Callable[[str], None]

_WIRE = (Blow.CONFLICT, Blow.TOO_MANY, Blow.SERVER_ERROR, Blow.DROP_REPLY, Blow.LATE, Blow.DELAY)
_AT_A_REQUEST = (WatchFault.CUT, WatchFault.GONE, WatchFault.STALE_LIST)


@dataclass(frozen=True, slots=True)
class Form:
    """How much is tried.

    Attributes:
        kills: at every n-th request: 1: both kills, more: before and after in turn, 0: none at all.
        wire: whether each fault of the wire is tried at every request; else each once per scenario, spread.
        watch_faults: which faults of the watches are tried from the start.
        frozen: the run kinds that are tried with frozen watches, too; empty: all. Each takes a minute of waiting.
        repetitions: how often each kill is tried.
    """

    kills: int
    wire: bool
    watch_faults: tuple[WatchFault, ...]
    frozen: tuple[str, ...] = ()
    repetitions: int = 1


SHORT = Form(
    kills=3,
    wire=False,
    watch_faults=(WatchFault.FREEZE, WatchFault.GONE, WatchFault.HIDE_DELETED),
    frozen=("evict one", "disruption budget"),
)
FULL = Form(kills=1, wire=True, watch_faults=tuple(WatchFault))
NOTHING = Form(kills=0, wire=False, watch_faults=())


def plan(form: Form, requests: int, scenario: Scenario) -> list[Fault]:
    """The faults for a scenario that takes so many mutating requests."""
    if not form.kills:
        return []
    # Frozen watches take longest, so they begin first.
    faults = [Fault(watch=fault) for fault in form.watch_faults if scenario.patient]
    if form.frozen and scenario.name not in form.frozen:
        faults = [fault for fault in faults if fault.watch is not WatchFault.FREEZE]
    faults += [*_kills(form, requests)] * form.repetitions
    faults += [fault for fault in _wire(form, requests) if scenario.patient or fault.blow not in SLOW]
    if form.wire:
        faults += [Fault(Blow.KILL_AFTER, index, WatchFault.STALE_LIST) for index in range(1, requests + 1)]
    if form.wire and scenario.patient:
        faults += [Fault(None, index, fault) for fault in _AT_A_REQUEST for index in range(1, requests + 1, 3)]
    return faults


def _kills(form: Form, requests: int) -> Iterable[Fault]:
    if form.kills == 1:
        return [Fault(blow, index) for index in range(1, requests + 1) for blow in KILLS]
    # The last request is always among them: in the end things are given back.
    indexes = sorted(range(requests, 0, -form.kills))
    return [Fault(KILLS[number % 2], index) for number, index in enumerate(indexes)]


def _wire(form: Form, requests: int) -> Iterable[Fault]:
    if form.wire:
        return [Fault(blow, index) for blow in _WIRE for index in range(1, requests + 1)]
    # Spread over the requests, so that different scenarios and versions meet different ones.
    spread = max(requests // len(_WIRE), 1)
    return [Fault(blow, min(1 + number * spread, requests)) for number, blow in enumerate(_WIRE)]


@dataclass(slots=True)
class Row:
    """One line of the closing table."""

    scenario: str
    requests: int = 0
    reports: list[Report] = field(default_factory=list)

    @property
    def experiments(self) -> int:
        """Valid experiments whose fault happened."""
        return sum(not report.broken and report.reached for report in self.reports)

    @property
    def violations(self) -> int:
        """Violations of all of them."""
        return sum(len(report.violations) for report in self.reports)

    @property
    def broken(self) -> int:
        """Experiments that say nothing: the stage failed."""
        return sum(bool(report.broken) for report in self.reports)


class Campaign:
    """Runs the experiments of all scenarios and says how it goes."""

    def __init__(self, laboratory: Laboratory, form: Form, parallel: int, say: Say) -> None:
        self._laboratory = laboratory
        self._form = form
        self._slots = asyncio.Semaphore(parallel)
        self._say = say
        self._done = 0
        self._all = 0

    async def run(self, scenarios: Sequence[Scenario]) -> list[Row]:
        """All scenarios, mixed, so that those that wait for time leave the processor to others."""
        self._all = len(scenarios)
        return list(await asyncio.gather(*(self._scenario(scenario) for scenario in scenarios)))

    async def _scenario(self, scenario: Scenario) -> Row:
        row = Row(scenario.name)
        reference = await self._one(Experiment(self._laboratory, scenario, Fault()))
        row.reports.append(reference)
        row.requests = reference.requests
        if reference.broken or reference.violations:
            # Without a good reference there is nothing to compare with.
            return row
        faults = plan(self._form, reference.requests, scenario)
        self._all += len(faults)
        experiments = [Experiment(self._laboratory, scenario, fault, reference.end) for fault in faults]
        row.reports += await asyncio.gather(*(self._one(experiment) for experiment in experiments))
        return row

    async def _one(self, experiment: Experiment) -> Report:
        async with self._slots:
            report = await experiment.run()
            if report.broken:
                # The stage failed, not the operator: once more, and then it counts.
                report = await experiment.again().run()
        self._done += 1
        self._say(self._line(report))
        return report

    def _line(self, report: Report) -> str:
        verdict = "ok" if not report.violations else f"{len(report.violations)} VIOLATIONS"
        if report.broken:
            verdict = f"BROKEN: {report.broken}"
        elif not report.reached:
            verdict = "not reached"
        hit = next((str(entry) for entry in report.entries if entry.fault), "")
        text = f"{self._done:4}/{self._all} {report.scenario}: {report.fault}: {verdict}, {report.seconds:.1f} s  {hit}"
        return "\n".join([text, *(f"       ! {violation}" for violation in report.violations)])


def table(rows: Sequence[Row]) -> str:
    """The closing table and its last line."""
    width = max(len("run kind"), *(len(row.scenario) for row in rows))
    lines = [f"{'run kind':{width}}  mutating requests  experiments  violations"]
    lines += [f"{row.scenario:{width}}  {row.requests:17}  {row.experiments:11}  {row.violations:10}" for row in rows]
    lost = sum(not report.reached and not report.broken for row in rows for report in row.reports)
    broken = sum(row.broken for row in rows)
    if lost:
        lines.append(f"{lost} faults were never reached: the run took fewer requests this time")
    if broken:
        lines.append(f"{broken} experiments failed by themselves and prove nothing")
    experiments, violations = sum(row.experiments for row in rows), sum(row.violations for row in rows)
    lines.append(f"{experiments} experiments, {violations} violations")
    return "\n".join(lines)


def succeeded(rows: Sequence[Row]) -> bool:
    """Whether all of it holds and was really tried."""
    return all(not row.violations and not row.broken and row.experiments for row in rows)
