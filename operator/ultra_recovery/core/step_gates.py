"""The gates before every step and every single effect: an ordered list, the first that refuses wins.

To add a gate, add a function and its place in STEP_GATES; the page of the gates is generated from here. A
PodDisruptionBudget is asked by the eviction itself, and an approval, where a step wants one, after all other gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.action import AllowWhileOpen
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Limits, MaintenanceWindow
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.facts import DependencyFacts, Rails
from ultra_recovery.core.health import share_of
from ultra_recovery.core.objects import Pod
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.reports import is_fresh
from ultra_recovery.core.target import TargetFacts
from ultra_recovery.core.windows import window_refusal

SETTLE = timedelta(seconds=10)
"""For how long a dependency that was down must be good again before pods are disturbed.

So much time do its users have to become Ready by themselves: it is the kubelet's usual period of readiness probes.
"""
PROBE_LOOK = timedelta(milliseconds=200)
"""How soon to look again while a fresh probe of a dependency is on its way."""


class ActionClass(StrEnum):
    """What an action does to the target; gates apply by class."""

    DISRUPTIVE = "Disruptive"
    ROLLOUT = "Rollout"
    DEPENDENCY_REPAIR = "DependencyRepair"
    NOTIFY = "Notify"


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """What is about to be done.

    Attributes:
        pod: the pod that the next effect removes; None when the first pod is not chosen yet.
        allow_while_open: dependencies that do not forbid this step.
        fresh_since: dependencies must have been probed since then; None: what is known is enough.
        forced: a person takes the responsibility for the gates that `force` skips.
    """

    action_class: ActionClass
    target: TargetFacts
    limits: Limits
    pod: Pod | None = None
    windows: Sequence[MaintenanceWindow] = ()
    dependencies: Sequence[DependencyFacts] = ()
    allow_while_open: Sequence[AllowWhileOpen] = ()
    fresh_since: datetime | None = None
    rails: Rails = field(default_factory=Rails)
    forced: bool = False

    @property
    def disturbs(self) -> bool:
        """Whether the effect disturbs the target itself, and not only a dependency."""
        return self.action_class in (ActionClass.DISRUPTIVE, ActionClass.ROLLOUT)


StepGate = Callable[[EffectRequest, datetime], Refusal | None]


def creator(request: EffectRequest, now: datetime) -> Refusal | None:
    """The policy's ServiceAccount may not do what the step does, or not any more, or nobody can say."""
    del now
    return request.rails.creator


def maintenance_window(request: EffectRequest, now: datetime) -> Refusal | None:
    """A maintenance window forbids it, or none that allows it is open."""
    return window_refusal(request.windows, now)


def rollout_in_progress(request: EffectRequest, now: datetime) -> Refusal | None:
    """Somebody rolls the target out: restarting pods on top of it would disturb it, and prove nothing."""
    del now
    workload = request.target.workload
    if request.action_class is not ActionClass.DISRUPTIVE or workload is None or not workload.rolling_out:
        return None
    return Refusal(
        Reason.ROLLOUT_IN_PROGRESS, f"{workload.meta.key.name} is being rolled out; waiting until it is done"
    )


def dependency_open(request: EffectRequest, now: datetime) -> Refusal | None:
    """A dependency is down: restarting the pods that need it would not help, and makes its return harder."""
    if not request.disturbs:
        return None
    for dependency in request.dependencies:
        allowed = request.allow_while_open
        refusal = _veto(dependency, allowed, now) or _settling(dependency, allowed, now)
        if refusal is not None:
            return refusal
    return _await_probes(request, now)


def _veto(dependency: DependencyFacts, allowed: Sequence[AllowWhileOpen], now: datetime) -> Refusal | None:
    """Open or HalfOpen, or the newest probe or report is a failure. Unknown does not veto: no data is neither."""
    snapshot = dependency.snapshot
    if snapshot is None:
        return None
    if snapshot.state is not BreakerState.CLOSED:
        if _is_allowed(dependency.breaker, snapshot.reason, allowed):
            return None
        message = f"dependency {dependency.breaker} is {snapshot.state}: {snapshot.message}"
        return Refusal(Reason.DEPENDENCY_OPEN, message)
    last = snapshot.last
    if last is None or last.outcome is not Outcome.FAILURE:
        return None
    if not dependency.probed and not (dependency.reported and is_fresh(last, now)):
        return None
    if _is_allowed(dependency.breaker, last.reason, allowed):
        return None
    what = "the newest report" if dependency.reported else "a fresh probe"
    return Refusal(Reason.DEPENDENCY_OPEN, f"{what} of dependency {dependency.breaker} failed: {last.message}")


def _settling(dependency: DependencyFacts, allowed: Sequence[AllowWhileOpen], now: datetime) -> Refusal | None:
    """The dependency is back only now: whoever needs it has had no time to notice."""
    snapshot, name = dependency.snapshot, dependency.breaker
    if snapshot is None or snapshot.failed_at is None or snapshot.good_since is None:
        return None
    until = snapshot.good_since + SETTLE
    if now >= until or any(item.breaker == name for item in allowed):
        return None
    message = f"dependency {name} is good again since {snapshot.good_since:%H:%M:%S} UTC; pods get time to notice"
    return Refusal(Reason.DEPENDENCY_OPEN, message, until)


def _is_allowed(breaker: str, reason: Reason, allowed: Sequence[AllowWhileOpen]) -> bool:
    return any(item.breaker == breaker and (not item.reasons or reason in item.reasons) for item in allowed)


def _await_probes(request: EffectRequest, now: datetime) -> Refusal | None:
    """A dependency may have died a moment ago: what an old probe said proves nothing."""
    since = request.fresh_since
    if since is None:
        return None
    stale = [item.breaker for item in request.dependencies if item.probed and not is_fresh_probe(item.snapshot, since)]
    if not stale:
        return None
    message = f"waiting for a fresh probe of {', '.join(stale)}"
    return Refusal(Reason.AWAITING_PROBE, message, now + PROBE_LOOK, transient=True)


def is_fresh_probe(snapshot: Snapshot | None, since: datetime) -> bool:
    """Whether the newest probe was sent since this moment."""
    return snapshot is not None and snapshot.last is not None and snapshot.last.started_at >= since


def storm(request: EffectRequest, now: datetime) -> Refusal | None:
    """So many targets of the namespace are in trouble at once that the cause is not in their pods."""
    del now
    return request.rails.storm if request.disturbs else None


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


STEP_GATES: tuple[StepGate, ...] = (creator, maintenance_window, rollout_in_progress, dependency_open, storm, quorum)
FORCED_GATES: frozenset[StepGate] = frozenset({maintenance_window, dependency_open, storm, quorum})
"""The gates that a run with `force` skips."""


def first_step_refusal(request: EffectRequest, now: datetime) -> Refusal | None:
    """Ask the gates in order. A notification passes them all: to be told is never wrong."""
    if request.action_class is ActionClass.NOTIFY:
        return None
    for gate in STEP_GATES:
        if request.forced and gate in FORCED_GATES:
            continue
        refusal = gate(request, now)
        if refusal is not None:
            return refusal
    return None
