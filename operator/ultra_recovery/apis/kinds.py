"""The kinds we define: their names, their types, and the columns that ``kubectl get`` shows.

Columns answer, in this order: is it fine, what is it doing, since when, what next. They stay below 120 characters for
names of usual length. A moment in the future is a string column: kubectl prints ``<invalid>`` for a future date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec, CircuitBreakerStatus
from ultra_recovery.apis.meta import GROUP, ApiType
from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import RecoveryRunStatus

CATEGORY = "recovery"
"""``kubectl get recovery`` lists the objects of all kinds."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``kubectl get``; ``wide`` ones appear with ``-o wide`` only."""

    name: str
    path: str
    description: str
    type: Literal["string", "integer", "date"] = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource kind, all that its CRD is made from."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[ApiType]
    status: type[ApiType]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    """Fields for ``--field-selector``. Kubernetes 1.30 drops them silently, so nothing of ours may rely on them."""

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition object."""
        return f"{self.plural}.{GROUP}"


def _condition(kind: str, field: str = "status") -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_AGE = Column("Age", ".metadata.creationTimestamp", "Time since the object was created.", type="date")
_READY = Column("Ready", _condition("Ready"), "Whether the object is valid and enforced.")

CIRCUIT_BREAKER = Kind(
    kind="CircuitBreaker",
    plural="circuitbreakers",
    short_name="cb",
    description="One dependency of a workload: how to probe it, when it counts as broken, and its state for everybody.",
    spec=CircuitBreakerSpec,
    status=CircuitBreakerStatus,
    columns=(
        Column("State", ".status.state", "Closed, Open or HalfOpen."),
        Column("Healthy", _condition("TargetHealthy"), "Whether the last probe, or report, was a success."),
        _READY,
        Column("Target", ".status.target", "What is probed; `external`: callers report."),
        Column("Since", ".status.since", "Time since the state was entered.", type="date"),
        Column("Next", ".status.nextProbeAt", "When the next probe is due; only while Open."),
        Column("Trial-At", ".status.trialAt", "From when on a trial may begin; only while Open.", wide=True),
        Column("Trial", ".status.trial.holder", "Who may try an external target now; only while HalfOpen.", wide=True),
        Column("Override", ".status.override.state", "The override that is in force.", wide=True),
        Column("Would-Be", ".status.wouldBe.state", "The state without the override MetricsOnly.", wide=True),
        Column("Failures", ".status.consecutiveFailures", "Failures in a row.", type="integer", wide=True),
        Column("Reason", ".status.reason", "Why the breaker is in its state.", wide=True),
        Column("Message", ".status.message", "A sentence on the last result that mattered.", wide=True),
        _AGE,
    ),
    selectable=(".status.state",),
)

RECOVERY_POLICY = Kind(
    kind="RecoveryPolicy",
    plural="recoverypolicies",
    short_name="rp",
    description="For one workload: what counts as trouble, what is done about it, and within which limits.",
    spec=RecoveryPolicySpec,
    status=RecoveryPolicyStatus,
    columns=(
        _READY,
        Column("Target", ".spec.targetRef.name", "The workload that is recovered."),
        Column("Mode", ".spec.mode", "How far the operator may go."),
        Column("Incident", ".status.incident.state", "Where the latest incident stands."),
        Column("Last-Run", ".status.lastRun.name", "Name of the latest run."),
        Column("Decision", ".status.lastDecision.reason", "Why the operator did or did not act."),
        Column("Since", ".status.lastDecision.time", "Time since it was first decided so.", type="date"),
        Column("Attempts", ".status.incident.attempts", "Attempts of the latest incident.", type="integer", wide=True),
        Column("Blocked", _condition("Blocked", "reason"), "The gate that refuses, before or inside a run.", wide=True),
        Column("Needs-Human", _condition("NeedsHuman"), "Whether all attempts are used up.", wide=True),
        Column("Message", ".status.lastDecision.message", "The last decision as a sentence.", wide=True),
        _AGE,
    ),
)

RECOVERY_RUN = Kind(
    kind="RecoveryRun",
    plural="recoveryruns",
    short_name="rr",
    description="One recovery from cause to result: the durable record of what was done and what came of it.",
    spec=RecoveryRunSpec,
    status=RecoveryRunStatus,
    columns=(
        Column("Policy", ".spec.policyName", "The policy that the run carries out."),
        Column("Phase", ".status.phase", "Where the run stands."),
        Column("Reason", ".status.reason", "Why the run is in its phase."),
        Column("Step", ".status.currentStep", "The step that is being carried out."),
        Column("Attempt", ".spec.attempt", "Which attempt of the incident this is.", type="integer"),
        Column("Started", ".status.startedAt", "Time since the run began to act.", type="date"),
        Column("Finished", ".status.finishedAt", "Time since the run ended.", type="date"),
        Column("Cause", ".spec.cause", "Why the run exists.", wide=True),
        Column("Incident", ".spec.incident", "The incident that the run belongs to.", type="integer", wide=True),
        Column("Message", ".status.message", "The result as a sentence.", wide=True),
        _AGE,
    ),
    selectable=(".spec.policyName", ".status.phase"),
)

KINDS = (CIRCUIT_BREAKER, RECOVERY_POLICY, RECOVERY_RUN)
