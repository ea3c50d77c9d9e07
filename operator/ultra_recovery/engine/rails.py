"""Reads what limits recoveries beyond one policy: pauses, budgets, storms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ultra_recovery.apis.meta import PAUSED_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Budget
from ultra_recovery.core.budget import BudgetLimits, budget_refusal
from ultra_recovery.core.facts import Rails
from ultra_recovery.core.objects import Key, Kind, Namespace, Policy
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.storm import namespace_storm
from ultra_recovery.engine.ledger import Ledger
from ultra_recovery.engine.table import Table


@dataclass(frozen=True, slots=True)
class ClusterLimits:
    """The administrator's limits.

    Attributes:
        paused: nothing is started anywhere; what runs finishes its step.
        workload: runs with an effect on one workload within an hour.
        namespace: likewise in one namespace.
        cluster: likewise in the whole cluster.
    """

    paused: bool = False
    workload: int = 6
    namespace: int = 30
    cluster: int = 120


@dataclass(frozen=True, slots=True)
class Claimant:
    """For whom the rails are asked.

    Attributes:
        target_uid: UID of the workload, "" when it does not exist.
        run: name of the run that asks, "" before there is one: it does not count against itself.
    """

    namespace: str
    policy: str
    budget: Budget = field(default_factory=Budget)
    target_uid: str = ""
    run: str = ""


class RailsReader:
    """Judges the rails from the table and the ledger of runs."""

    def __init__(self, table: Table, ledger: Ledger, limits: ClusterLimits) -> None:
        self._table = table
        self._ledger = ledger
        self._limits = limits

    def read(self, claimant: Claimant, now: datetime) -> Rails:
        """All rails for one policy or run."""
        return Rails(
            paused=self.paused(claimant.namespace),
            budget=self._budget(claimant, now),
            storm=self.storm(claimant.namespace, now),
        )

    def read_running(self, namespace: str, now: datetime) -> Rails:
        """What a run that has its place in the budgets still has to obey."""
        return Rails(paused=self.paused(namespace), storm=self.storm(namespace, now))

    def paused(self, namespace: str) -> Problem | None:
        """The big red button: the operator's setting, or the annotation on the Namespace."""
        if self._limits.paused:
            return Problem(Reason.OPERATOR_PAUSED, "the operator is paused by its setting ULTRA_PAUSED")
        found = self._table.get(Key(Kind.NAMESPACE, "", namespace))
        if isinstance(found, Namespace) and found.meta.annotations.get(PAUSED_ANNOTATION) == "true":
            return Problem(Reason.NAMESPACE_PAUSED, f"Namespace {namespace} carries {PAUSED_ANNOTATION}=true")
        return None

    def _budget(self, claimant: Claimant, now: datetime) -> Refusal | None:
        limits = BudgetLimits(claimant.budget, self._limits.workload, self._limits.namespace, self._limits.cluster)
        usage = self._ledger.usage(
            claimant.namespace,
            claimant.policy,
            claimant.target_uid,
            claimant.budget.per,
            now,
            waiting=claimant.run,
        )
        return budget_refusal(usage, limits, now)

    def storm(self, namespace: str, now: datetime) -> Refusal | None:
        """Whether so many targets of the namespace fell ill at once that their pods are not the cause."""
        policies = [item for item in self._table.select(Kind.POLICY, namespace) if isinstance(item, Policy)]
        return namespace_storm(policies, now)
