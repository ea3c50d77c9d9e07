"""One experiment: a scenario on a stage of its own, an operator behind a proxy, one fault, and what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.end_state import EndState, describe
from tests.matrix.faults import Fault
from tests.matrix.hooks import HookServer
from tests.matrix.invariants import Evidence, violations
from tests.matrix.ledger import LEADER, Entry, Ledger
from tests.matrix.operator_process import Nursery, OperatorProcess
from tests.matrix.proxy import Proxy
from tests.matrix.scenarios import Play, Scenario
from tests.matrix.stage import KINDS, Stage, StageError
from tests.matrix.upstream import AnswerError, Upstream

QUIET = 1.2
"""Seconds without a request that changes something: then it is over."""
DEADLINE = 240.0


@dataclass(frozen=True, slots=True)
class Laboratory:
    """What all experiments share."""

    upstream: Upstream
    nursery: Nursery
    folder: Path


@dataclass(slots=True)
class Report:
    """What came of one experiment.

    Attributes:
        reached: whether the fault happened at all.
        broken: why the experiment says nothing about the operator; "" for a valid one.
        seconds: how long it took.
    """

    scenario: str
    fault: Fault
    violations: list[str] = field(default_factory=list)
    end: EndState = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    reached: bool = True
    broken: str = ""
    seconds: float = 0.0
    log: str = ""

    @property
    def requests(self) -> int:
        """How many numbered requests there were."""
        return max((entry.index for entry in self.entries), default=0)


class Experiment:
    """Runs a scenario once, with one fault."""

    def __init__(
        self, laboratory: Laboratory, scenario: Scenario, fault: Fault, reference: EndState | None = None
    ) -> None:
        self._laboratory = laboratory
        self._scenario = scenario
        self._fault = fault
        self._reference = reference
        self._problems: list[str] = []

    def again(self) -> Experiment:
        """The same, not yet run."""
        return Experiment(self._laboratory, self._scenario, self._fault, self._reference)

    async def run(self) -> Report:
        """Run it; never raises for anything the operator does."""
        report = Report(self._scenario.name, self._fault)
        began = asyncio.get_running_loop().time()
        try:
            await self._on_stage(report)
        except (StageError, AnswerError, OSError, TimeoutError) as error:
            report.broken = "".join(traceback.format_exception_only(error)).strip()
        report.seconds = asyncio.get_running_loop().time() - began
        return report

    async def _on_stage(self, report: Report) -> None:
        upstream = self._laboratory.upstream
        async with Proxy(upstream, self._fault) as proxy, HookServer() as hooks, Stage(upstream) as stage:
            for name, replicas in self._scenario.workloads.items():
                await stage.start_workload(name, replicas)
            before = {name: self._uids(stage, name) for name in self._scenario.workloads}
            for document in self._scenario.objects:
                await stage.create(_with_hooks(document, hooks))
            extra = {"ULTRA_PROBE_ALLOW": f"{hooks.host}:{hooks.port}"}
            operator = OperatorProcess(self._laboratory.nursery, proxy, stage.namespace, self._laboratory.folder, extra)
            play = Play(stage, proxy.ledger)
            try:
                await operator.start()
                await self._play(play, proxy)
                leases = await self._come_to_rest(stage)
            finally:
                await operator.stop()
            evidence = await self._gather(play, hooks, before)
            evidence.leases = leases
            evidence.log = report.log = operator.log.read_text(errors="replace")
            evidence.problems = [*operator.unexpected, *self._problems, *await self._delete(stage)]
            report.violations = violations(evidence)
            report.end, report.entries = evidence.end, proxy.ledger.entries
            report.reached = proxy.fired.is_set() or not self._fault.index

    async def _play(self, play: Play, proxy: Proxy) -> None:
        """The scenario itself; that it does not come to its end is the operator's fault."""
        try:
            async with asyncio.timeout(DEADLINE):
                await play.wait(self._visited, "the operator has seen all objects")
                if self._fault.watch is not None and not self._fault.index:
                    proxy.watches.strike()
                await self._scenario.act(play)
                await play.wait(self._scenario.ended, "the scenario has come to its end", DEADLINE)
                await play.wait(self._is_quiet, "no more requests", 60.0)
        except (StageError, TimeoutError) as error:
            states = {f"{kind}/{name}": _short(item) for (kind, name), item in proxy.ledger.latest.items()}
            self._problems.append(f"does not come to its end: {error or 'time is up'}; last: {states}")

    def _visited(self, ledger: Ledger) -> bool:
        latest = ledger.latest
        kinds = {"CircuitBreaker": "circuitbreakers", "RecoveryPolicy": "recoverypolicies"}
        wanted = [
            (kinds[item["kind"]], item["metadata"]["name"]) for item in self._scenario.objects if item["kind"] in kinds
        ]
        return all((latest.get(key) or {}).get("status", {}).get("observedGeneration") for key in wanted)

    @staticmethod
    def _is_quiet(ledger: Ledger) -> bool:
        return ledger.quiet_for(QUIET)

    async def _come_to_rest(self, stage: Stage) -> list[Mapping[str, object]]:
        """The Leases that are left, once those of targets are gone or time is up."""

        async def free() -> bool:
            return all(item["metadata"]["name"] == LEADER for item in await stage.leases())

        with contextlib.suppress(StageError):
            await stage.until(free, "the Leases of targets are given back", 5.0)
        return list(await stage.leases())

    async def _gather(self, play: Play, hooks: HookServer, before: Mapping[str, list[str]]) -> Evidence:
        stage = play.stage
        objects = {plural: await stage.list(plural) for plural in KINDS}
        pods = {name: stage.kubelet.of(name) for name in self._scenario.workloads}
        return Evidence(
            entries=play.ledger.entries,
            end=describe(objects, pods, before, await stage.jobs(), hooks.calls),
            reference=self._reference if self._scenario.one_end else None,
            hung=None if self._scenario.evicts_healthy else frozenset(stage.kubelet.hung),
            objects=objects,
            hooks=hooks.calls,
            arrivals=hooks.arrivals,
            budget=self._scenario.runs,
            fault=self._fault,
            acted_at=play.acted_at,
        )

    @staticmethod
    async def _delete(stage: Stage) -> list[str]:
        try:
            await stage.delete_ours()
        except StageError as error:
            return [f"objects are deletable: {error}"]
        return []

    @staticmethod
    def _uids(stage: Stage, name: str) -> list[str]:
        return [pod["metadata"]["uid"] for pod in stage.kubelet.of(name)]


def _with_hooks(document: object, hooks: HookServer) -> object:
    """A manifest with the address of the hook server in place of $HOOKS."""
    if isinstance(document, Mapping):
        return {key: _with_hooks(value, hooks) for key, value in document.items()}
    if isinstance(document, list):
        return [_with_hooks(value, hooks) for value in document]
    return document.replace("$HOOKS", hooks.url) if isinstance(document, str) else document


def _short(item: Mapping[str, object]) -> str:
    status = item.get("status") or {}
    assert isinstance(status, Mapping)
    words = [str(status[key]) for key in ("phase", "state", "reason") if status.get(key)]
    incident, decision = status.get("incident") or {}, status.get("lastDecision") or {}
    return " ".join([*words, str(incident.get("state") or ""), str(decision.get("reason") or "")]).strip()
