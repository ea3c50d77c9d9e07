"""Signals: what each trigger of a policy says at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.trigger import PodUnhealthyReason, PodUnhealthyTrigger, Trigger
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.health import PodHealth, PodHistory, grace_ends, judge_pod, trouble_since
from ultra_recovery.core.objects import Pod
from ultra_recovery.core.pool_trouble import PoolHistory
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.target import TargetFacts


class SignalState(StrEnum):
    """FIRING: the condition held for its `for`. PENDING: it holds, not yet for so long. CLEAR: it does not hold.

    NEITHER: it neither fires nor clears (a breaker in HalfOpen). UNKNOWN: no data; never healthy, never unhealthy.
    """

    FIRING = "Firing"
    PENDING = "Pending"
    CLEAR = "Clear"
    NEITHER = "Neither"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Signal:
    """What one trigger says.

    Attributes:
        bad_since: first bad observation of the current row; for FIRING and PENDING.
        good_since: since when fresh observations are good; None while they are not, or nothing is known.
        fires_at: when a PENDING signal will fire.
        fresh_at: when the latest observation behind this was made.
        pods: UIDs of the pods that are unhealthy for long enough.
        database: the breaker whose figures say so.
        look_at: when the passing of time alone may make trouble of a pod.
        muted: a person's override keeps it from saying anything.
    """

    trigger: str
    state: SignalState
    message: str
    bad_since: datetime | None = None
    good_since: datetime | None = None
    fires_at: datetime | None = None
    fresh_at: datetime | None = None
    pods: frozenset[str] = frozenset()
    muted: bool = False
    look_at: datetime | None = None
    database: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """The facts that triggers are judged by.

    Attributes:
        breakers: snapshots by name; a breaker that is missing or was never probed by this process is None or absent.
        pods: pods of the target; `histories` has what is remembered of each, by UID.
        pools: what is remembered for each databasePool trigger, by the trigger's name.
        target_known: whether the target itself could be read: without it pods say nothing.
    """

    breakers: Mapping[str, Snapshot | None]
    pods: Sequence[Pod]
    histories: Mapping[str, PodHistory]
    target_known: bool = True
    pools: Mapping[str, PoolHistory] = field(default_factory=dict)


def read_signals(triggers: Sequence[Trigger], observed: Observed, now: datetime) -> tuple[Signal, ...]:
    """Judge every trigger."""
    return tuple(_read(trigger, observed, now) for trigger in triggers)


def _read(trigger: Trigger, observed: Observed, now: datetime) -> Signal:
    if trigger.circuit_open is not None:
        return _circuit_open(trigger, trigger.circuit_open.breaker, observed, now)
    if trigger.pod_unhealthy is not None:
        return _pod_unhealthy(trigger, trigger.pod_unhealthy, observed, now)
    if trigger.database_pool is not None:
        return _database_pool(trigger, trigger.database_pool.breaker, observed)
    if trigger.error_reported is not None:
        # Reports are runs of their own; as a signal of an incident the trigger says nothing.
        return Signal(trigger.name, SignalState.CLEAR, "errors are counted when they are reported", good_since=now)
    return Signal(trigger.name, SignalState.UNKNOWN, "this version of the operator does not know this kind of trigger")


def _circuit_open(trigger: Trigger, breaker: str, observed: Observed, now: datetime) -> Signal:
    snapshot = observed.breakers.get(breaker)
    if snapshot is None:
        return Signal(trigger.name, SignalState.UNKNOWN, f"nothing is known of breaker {breaker} yet")
    good_since = snapshot.good_since if snapshot.last and snapshot.last.outcome is Outcome.SUCCESS else None
    fresh_at = snapshot.last.finished_at if snapshot.last else None
    if snapshot.override is not None:
        message = f"breaker {breaker} neither fires nor clears: {snapshot.override.sentence}"
        return Signal(trigger.name, SignalState.NEITHER, message, good_since=good_since, fresh_at=fresh_at, muted=True)
    if snapshot.state is BreakerState.OPEN:
        state, fires_at = _held(snapshot.since, trigger.hold, now)
        message = f"breaker {breaker} is Open: {snapshot.message}"
        return Signal(trigger.name, state, message, snapshot.since, good_since, fires_at, fresh_at)
    if snapshot.state is BreakerState.HALF_OPEN or snapshot.unconfirmed:
        why = "is HalfOpen" if snapshot.state is BreakerState.HALF_OPEN else "was reset and not yet probed well"
        message = f"breaker {breaker} {why}"
        return Signal(trigger.name, SignalState.NEITHER, message, good_since=good_since, fresh_at=fresh_at)
    message = f"breaker {breaker} is Closed"
    return Signal(trigger.name, SignalState.CLEAR, message, good_since=good_since, fresh_at=fresh_at)


def _database_pool(trigger: Trigger, breaker: str, observed: Observed) -> Signal:
    snapshot, history = observed.breakers.get(breaker), observed.pools.get(trigger.name)
    if snapshot is None or history is None:
        return Signal(trigger.name, SignalState.UNKNOWN, f"nothing is known of breaker {breaker} yet")
    good, fresh, message = history.good_since, history.seen_at, f"database {breaker}: {history.look.message}"
    if snapshot.override is not None:
        message = f"breaker {breaker} neither fires nor clears: {snapshot.override.sentence}"
        return Signal(trigger.name, SignalState.NEITHER, message, good_since=good, fresh_at=fresh, muted=True)
    if history.look.bad is None:
        state = SignalState.NEITHER if history.look.failed else SignalState.UNKNOWN
        return Signal(trigger.name, state, message, fresh_at=fresh)
    if history.look.bad:
        state = SignalState.FIRING if history.held(trigger.hold) else SignalState.PENDING
        return Signal(trigger.name, state, message, history.bad_since, fresh_at=fresh, database=breaker)
    return Signal(trigger.name, SignalState.CLEAR, message, good_since=good, fresh_at=fresh)


def _pod_unhealthy(trigger: Trigger, spec: PodUnhealthyTrigger, observed: Observed, now: datetime) -> Signal:
    if not observed.target_known:
        return Signal(trigger.name, SignalState.UNKNOWN, "the target cannot be read")
    ends = [grace_ends(pod, spec.startup_grace, now) for pod in observed.pods]
    look_at = min((end for end in ends if end is not None), default=None)
    return replace(_judge_pods(trigger, spec, observed, now), look_at=look_at)


def _judge_pods(trigger: Trigger, spec: PodUnhealthyTrigger, observed: Observed, now: datetime) -> Signal:
    troubles = [(pod, found) for pod in observed.pods if (found := _trouble(spec, observed, pod, now))]
    if not troubles:
        state, message, good = _quiet(observed)
        return Signal(trigger.name, state, message, good_since=good, fresh_at=now)
    since = min(moment for _, found in troubles for moment in found.values())
    fired = [
        (pod, [reason for reason, moment in found.items() if reason in _AT_ONCE or now - moment >= trigger.hold])
        for pod, found in troubles
    ]
    words = _tell(troubles, len(observed.pods))
    if any(reasons for _, reasons in fired):
        helped = frozenset(pod.meta.uid for pod, reasons in fired if _HELPED.intersection(reasons))
        return Signal(trigger.name, SignalState.FIRING, words, since, pods=helped)
    return Signal(trigger.name, SignalState.PENDING, words, since, fires_at=since + trigger.hold)


_AT_ONCE = frozenset({PodUnhealthyReason.OOM_KILLED})
"""Reasons whose own count is the waiting: `for` is ignored."""
_HELPED = frozenset({PodUnhealthyReason.NOT_READY, PodUnhealthyReason.OOM_KILLED})
"""Reasons that a restart of the pod may help; the other pods are never evicted."""


def _trouble(
    spec: PodUnhealthyTrigger, observed: Observed, pod: Pod, now: datetime
) -> dict[PodUnhealthyReason, datetime]:
    history = observed.histories.get(pod.meta.uid)
    if history is None:
        return {}
    return trouble_since(history, spec.reasons, spec.oom.count, spec.oom.within, now)


def _tell(troubles: Sequence[tuple[Pod, Mapping[PodUnhealthyReason, datetime]]], count: int) -> str:
    names = ", ".join(pod.meta.key.name for pod, _ in troubles[:3]) + (", …" if len(troubles) > 3 else "")
    kinds = sorted({_WORDS[reason] for _, found in troubles for reason in found})
    return f"{len(troubles)} of {count} pods {', '.join(kinds)}: {names}"


_WORDS = {
    PodUnhealthyReason.NOT_READY: "not Ready",
    PodUnhealthyReason.OOM_KILLED: "killed for lack of memory",
    PodUnhealthyReason.CRASH_LOOP: "in CrashLoopBackOff",
    PodUnhealthyReason.IMAGE_PULL: "without an image",
    PodUnhealthyReason.PENDING: "Pending for too long",
    PodUnhealthyReason.TERMINATING: "Terminating for too long",
}


def _quiet(observed: Observed) -> tuple[SignalState, str, datetime | None]:
    """No pod is unhealthy: clear and good when every pod that counts is Ready, and there is one.

    While a pod is starting nothing is proven either way: a replacement that never gets Ready must not end the incident.

    A pod that does not count (Pending, crash-looping) has a reason of its own: it neither proves nor disproves that
    this trigger's trouble is over. A step that made it so does not get past its own wait for a Ready replacement.
    """
    histories = [history for pod in observed.pods if (history := observed.histories.get(pod.meta.uid)) is not None]
    good = [history.good_since for history in histories if history.good_since is not None]
    starting = sum(history.health is PodHealth.STARTING for history in histories)
    if not good and not starting:
        return SignalState.NEITHER, "no pod is Ready, and none that was Ready has become unready", None
    if starting:
        return SignalState.NEITHER, f"{len(good)} pods are Ready, {starting} are starting", None
    return SignalState.CLEAR, f"all {len(good)} pods are Ready", max(good)


def _held(since: datetime, hold: timedelta, now: datetime) -> tuple[SignalState, datetime | None]:
    if now - since >= hold:
        return SignalState.FIRING, None
    return SignalState.PENDING, since + hold


def read_health(target: TargetFacts, breakers: Mapping[str, Snapshot | None], now: datetime) -> tuple[Signal, ...]:
    """What a run without triggers goes by: the target available, and all dependencies good.

    Its unhealthy pods are those that a podUnhealthy trigger with default values would fire for.
    """
    return (_availability(target, now), *(_dependency(name, item) for name, item in sorted(breakers.items())))


def is_quiet(snapshot: Snapshot | None) -> bool:
    """Whether this is an external target that is fine so far, and nobody says anything against it now.

    Its callers report when something changes. To wait for fresh reports of one that is well would be in vain.
    """
    if snapshot is None or not snapshot.external or snapshot.unconfirmed:
        return False
    failed = snapshot.last is not None and snapshot.last.outcome is Outcome.FAILURE
    return snapshot.state is BreakerState.CLOSED and not failed


def _availability(target: TargetFacts, now: datetime) -> Signal:
    workload = target.workload
    if workload is None:
        return Signal("target", SignalState.UNKNOWN, "the target cannot be read")
    ready = [pod.ready_changed_at for pod in target.available(now) if pod.ready_changed_at is not None]
    message = f"{len(ready)} of {workload.replicas} pods are Ready"
    if len(ready) < workload.replicas:
        ill = frozenset(pod.meta.uid for pod in target.pods if _is_ill(pod, now))
        return Signal("target", SignalState.FIRING, message, fresh_at=now, pods=ill)
    good = max(ready, default=workload.meta.created_at or now)
    return Signal("target", SignalState.CLEAR, message, good_since=good, fresh_at=now)


def _is_ill(pod: Pod, now: datetime) -> bool:
    """Whether a pod is not Ready and a restart may help it: who asks for a run does not want to wait for a grace."""
    return judge_pod(pod, was_ready=True, grace=timedelta(0), now=now) is PodHealth.UNHEALTHY


def _dependency(name: str, snapshot: Snapshot | None) -> Signal:
    if snapshot is None or snapshot.last is None:
        return Signal(name, SignalState.UNKNOWN, f"nothing is known of breaker {name} yet")
    good_since = snapshot.good_since if snapshot.last.outcome is Outcome.SUCCESS else None
    message = f"dependency {name}: {snapshot.last.message}"
    state = SignalState.CLEAR if good_since is not None else SignalState.FIRING
    return Signal(name, state, message, good_since=good_since, fresh_at=snapshot.last.finished_at)


def next_trouble(signals: Sequence[Signal]) -> datetime | None:
    """When to look again although nobody tells that anything changed."""
    return min((signal.look_at for signal in signals if signal.look_at is not None), default=None)


def any_firing(signals: Sequence[Signal]) -> bool:
    """Whether at least one trigger fires."""
    return any(signal.state is SignalState.FIRING for signal in signals)


def all_clear(signals: Sequence[Signal]) -> bool:
    """Whether every signal is clear: no data and HalfOpen do not count as that."""
    return bool(signals) and all(signal.state is SignalState.CLEAR for signal in signals)


def all_muted(signals: Sequence[Signal]) -> bool:
    """Whether overrides alone keep the signals from being clear: nothing can fire, and nothing can be proven."""
    loud = [signal for signal in signals if signal.state is not SignalState.CLEAR]
    return bool(loud) and all(signal.muted for signal in loud)


def good_since(signals: Sequence[Signal]) -> datetime | None:
    """Since when all signals are good by fresh observations, or None. A Closed breaker is not required."""
    if not signals or any(signal.good_since is None for signal in signals):
        return None
    return max(signal.good_since for signal in signals if signal.good_since is not None)


def fresh_at(signals: Sequence[Signal]) -> datetime | None:
    """When the oldest of the latest observations was made; None while there is none."""
    moments = [signal.fresh_at for signal in signals]
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and len(known) == len(moments) else None


def next_change(signals: Sequence[Signal]) -> datetime | None:
    """The earliest moment at which a pending signal fires by the passing of time alone."""
    moments = [signal.fires_at for signal in signals if signal.fires_at is not None]
    return min(moments) if moments else None
