"""The gates before every step and every single effect: an ordered list, the first that refuses wins.

To add a gate, add a function and its place in STEP_GATES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Limits
from ultra_recovery.core.facts import Refusal, TargetFacts
from ultra_recovery.core.health import share_of
from ultra_recovery.core.objects import Pod


class ActionClass(StrEnum):
    """What an action does to the target; gates apply by class."""

    DISRUPTIVE = "Disruptive"
    ROLLOUT = "Rollout"
    DEPENDENCY_REPAIR = "DependencyRepair"
    CUSTOM = "Custom"
    NOTIFY = "Notify"


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """What is about to be done.

    Attributes:
        pod: the pod that the next effect removes; None when the first pod is not chosen yet.
    """

    action_class: ActionClass
    target: TargetFacts
    limits: Limits
    pod: Pod | None = None


StepGate = Callable[[EffectRequest, datetime], Refusal | None]


def rollout_in_progress(request: EffectRequest, now: datetime) -> Refusal | None:
    """Somebody rolls the target out: restarting pods on top of it would disturb it, and prove nothing."""
    del now
    workload = request.target.workload
    if request.action_class is not ActionClass.DISRUPTIVE or workload is None or not workload.rolling_out:
        return None
    return Refusal(
        Reason.ROLLOUT_IN_PROGRESS, f"{workload.meta.key.name} is being rolled out; waiting until it is done"
    )


def quorum(request: EffectRequest, now: datetime) -> Refusal | None:
    """Removing a Ready pod must leave limits.minHealthy; removing a pod that is not Ready never violates that."""
    workload, pod = request.target.workload, request.pod
    if request.action_class is not ActionClass.DISRUPTIVE or workload is None or pod is None or not pod.ready:
        return None
    ready = len(request.target.available(now))
    needed = share_of(request.limits.min_healthy, workload.replicas)
    if ready - 1 >= needed:
        return None
    return Refusal(
        Reason.QUORUM,
        f"evicting Ready pod {pod.meta.key.name} would leave {ready - 1} of {workload.replicas} Ready, "
        f"limits.minHealthy {request.limits.min_healthy} asks for {needed}",
    )


STEP_GATES: tuple[StepGate, ...] = (rollout_in_progress, quorum)


def first_step_refusal(request: EffectRequest, now: datetime) -> Refusal | None:
    """Ask the gates in order."""
    for gate in STEP_GATES:
        refusal = gate(request, now)
        if refusal is not None:
            return refusal
    return None
