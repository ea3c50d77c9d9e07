"""The frozen inputs of decisions: gathered once, decided on by pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.budget import RunRecord
from ultra_recovery.core.objects import Policy, Run
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.signals import Signal
from ultra_recovery.core.target import TargetFacts


@dataclass(frozen=True, slots=True)
class DependencyFacts:
    """One dependency of a policy.

    Attributes:
        breaker: name of its breaker.
        snapshot: what is known of it; None when nothing is.
        probed: whether it is probed at all: a disabled breaker is not, and waiting for its probe would be in vain.
        reported: whether its callers report instead: the newest report counts, and none can be asked for.
    """

    breaker: str
    snapshot: Snapshot | None
    probed: bool = True
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Rails:
    """What limits recoveries beyond one policy: judged where the whole cluster is in view.

    Attributes:
        paused: the namespace or the operator is paused.
        budget: a budget of the policy, the workload, the namespace or the cluster is used up.
        storm: so many targets of the namespace are in trouble that restarting pods would not help.
        creator: who answers for the policy may not do what comes next, or nobody can say whether they may.
    """

    paused: Problem | None = None
    budget: Refusal | None = None
    storm: Refusal | None = None
    creator: Refusal | None = None


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """Everything that is known when a policy is looked at.

    Attributes:
        spec: the policy's spec; facts are gathered only for a spec that can be read.
        runs: the runs of this policy that exist.
        records: its runs that exist or are remembered, oldest first.
        target_records: those of other policies on the same target.
        lease_holder: what is known of the holder of the target's Lease, "" when it is free.
        problem: why the policy cannot be enforced.
    """

    policy: Policy
    spec: RecoveryPolicySpec
    target: TargetFacts
    signals: Sequence[Signal]
    runs: Sequence[Run] = ()
    records: Sequence[RunRecord] = ()
    target_records: Sequence[RunRecord] = ()
    dependencies: Sequence[DependencyFacts] = ()
    rails: Rails = field(default_factory=Rails)
    lease_holder: str = ""
    problem: Problem | None = None

    @property
    def counted(self) -> list[RunRecord]:
        """The runs that count as attempts and for pauses: those after the last reset, dry ones not."""
        reset_at = self.policy.status.reset_at
        return [
            record
            for record in self.records
            if not record.dry_run and (reset_at is None or record.created_at >= reset_at)
        ]

    @property
    def active_run(self) -> Run | None:
        """The run of this policy that is not completed."""
        return next((run for run in self.runs if not run.completed), None)

    @property
    def highest_incident(self) -> int:
        """The highest incident number among the runs of this name."""
        exists = [run.spec.incident or 0 for run in self.runs if run.spec is not None]
        return max([*exists, *(record.incident for record in self.records)], default=0)

    def counted_of(self, incident: int) -> list[RunRecord]:
        """The counted runs of one incident."""
        return [record for record in self.counted if record.incident == incident]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything that is known when a run is looked at.

    Attributes:
        policy: None when it was deleted.
        signals: what the run's own triggers say; for a run without triggers the readiness of the target and of its
            dependencies.
        term: the term of the leader that looks.
        policy_facts: what the gates before a run need; only while it is Pending and the policy can be read.
        reports: how many errors were reported, by name of the errorReported trigger that wants them.
        lease_held: whether this run holds the target's Lease now; None when that was not asked (it is not needed yet).
        lease_holder: who else holds it.
        breaker_held: likewise for the Leases of the breakers that the current step touches.
        breaker_holder: who else holds one of them.
        refused: what the API server answered to the latest effect, if it refused it for now.
        observations: what the actions saw of the effects that are open, by effect id.
        notified: causes that earlier runs of this incident have already told.
        touched: breakers that the current step's action touches and that exist, by name; None: not looked at yet.
    """

    run: Run
    policy: Policy | None
    target: TargetFacts
    signals: Sequence[Signal]
    term: int
    policy_facts: PolicyFacts | None = None
    dependencies: Sequence[DependencyFacts] = ()
    rails: Rails = field(default_factory=Rails)
    reports: Mapping[str, int] = field(default_factory=dict)
    lease_held: bool | None = None
    lease_holder: str = ""
    breaker_held: bool | None = None
    breaker_holder: str = ""
    refused: Refusal | None = None
    observations: Mapping[str, object] = field(default_factory=dict)
    notified: frozenset[str] = frozenset()
    touched: Mapping[str, Snapshot | None] = field(default_factory=dict)

    @property
    def triggered(self) -> bool:
        """Whether the run has triggers whose signals tell when all is well again."""
        plan = self.run.status.plan
        return plan is not None and bool(plan.triggers)

    @property
    def had_effect(self) -> bool:
        """Whether any step had an effect."""
        return self.run.had_effect
