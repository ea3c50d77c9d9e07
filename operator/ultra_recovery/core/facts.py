"""The frozen inputs of decisions: gathered once, decided on by pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.health import is_available
from ultra_recovery.core.objects import Pod, Policy, Run, Workload
from ultra_recovery.core.signals import Signal


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an object cannot be enforced until somebody mends it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """The target workload and its pods.

    Attributes:
        workload: None when it does not exist.
        pods: the pods that belong to it, by name.
    """

    workload: Workload | None
    pods: Sequence[Pod] = ()

    def available(self, now: datetime) -> list[Pod]:
        """The pods that are Ready for minReadySeconds."""
        wait = self.workload.min_ready_seconds if self.workload else 0
        return [pod for pod in self.pods if is_available(pod, wait, now)]


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """Everything that is known when a policy is looked at.

    Attributes:
        spec: the policy's spec; facts are gathered only for a spec that can be read.
        runs: the runs of this policy.
        target_runs: the completed or active runs of other policies on the same target.
        lease_holder: what is known of the holder of the target's Lease, "" when it is free.
        problem: why the policy cannot be enforced.
    """

    policy: Policy
    spec: RecoveryPolicySpec
    target: TargetFacts
    signals: Sequence[Signal]
    runs: Sequence[Run] = ()
    target_runs: Sequence[Run] = ()
    lease_holder: str = ""
    problem: Problem | None = None

    @property
    def counted_runs(self) -> list[Run]:
        """The runs that count as attempts and for pauses: those after the last reset."""
        reset_at = self.policy.status.reset_at
        return [run for run in self.runs if reset_at is None or (run.meta.created_at or reset_at) >= reset_at]

    @property
    def active_run(self) -> Run | None:
        """The run of this policy that is not completed."""
        return next((run for run in self.runs if not run.completed), None)

    @property
    def highest_incident(self) -> int:
        """The highest incident number among the runs of this name."""
        return max((run.spec.incident or 0 for run in self.runs if run.spec is not None), default=0)

    def runs_of(self, incident: int) -> list[Run]:
        """The counted runs of one incident."""
        return [run for run in self.counted_runs if run.spec is not None and run.spec.incident == incident]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything that is known when a run is looked at.

    Attributes:
        policy: None when it was deleted.
        signals: what the run's own triggers say.
        lease_held: whether this run holds the target's Lease now; None when that was not asked (it is not needed yet).
        lease_holder: who else holds it.
        term: the term of the leader that looks.
        refused: what the API server answered to the latest effect, if it refused it for now.
    """

    run: Run
    policy: Policy | None
    target: TargetFacts
    signals: Sequence[Signal]
    term: int
    lease_held: bool | None = None
    lease_holder: str = ""
    refused: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not done now.

    Attributes:
        reason: the gate.
        message: a sentence that says what would have to change.
        next_look: when it may change by the passing of time alone.
    """

    reason: Reason
    message: str
    next_look: datetime | None = field(default=None)

    def later(self, now: datetime, delay: timedelta) -> datetime:
        """When to look again: at `next_look`, at the latest after `delay`."""
        fallback = now + delay
        return min(self.next_look, fallback) if self.next_look is not None and self.next_look > now else fallback
