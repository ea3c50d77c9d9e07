"""Signals: what each trigger of a policy says at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.trigger import PodUnhealthyTrigger, Trigger
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.health import PodHealth, PodHistory
from ultra_recovery.core.objects import Pod
from ultra_recovery.core.probe import Outcome


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
    """

    trigger: str
    state: SignalState
    message: str
    bad_since: datetime | None = None
    good_since: datetime | None = None
    fires_at: datetime | None = None
    fresh_at: datetime | None = None
    pods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Observed:
    """The facts that triggers are judged by.

    Attributes:
        breakers: snapshots by name; a breaker that is missing or was never probed by this process is None or absent.
        pods: pods of the target; `histories` has what is remembered of each, by UID.
        target_known: whether the target itself could be read: without it pods say nothing.
    """

    breakers: Mapping[str, Snapshot | None]
    pods: Sequence[Pod]
    histories: Mapping[str, PodHistory]
    target_known: bool = True


def read_signals(triggers: Sequence[Trigger], observed: Observed, now: datetime) -> tuple[Signal, ...]:
    """Judge every trigger."""
    return tuple(_read(trigger, observed, now) for trigger in triggers)


def _read(trigger: Trigger, observed: Observed, now: datetime) -> Signal:
    if trigger.circuit_open is not None:
        return _circuit_open(trigger, trigger.circuit_open.breaker, observed, now)
    if trigger.pod_unhealthy is not None:
        return _pod_unhealthy(trigger, trigger.pod_unhealthy, observed, now)
    return Signal(trigger.name, SignalState.UNKNOWN, "this version of the operator does not know this kind of trigger")


def _circuit_open(trigger: Trigger, breaker: str, observed: Observed, now: datetime) -> Signal:
    snapshot = observed.breakers.get(breaker)
    if snapshot is None:
        return Signal(trigger.name, SignalState.UNKNOWN, f"nothing is known of breaker {breaker} yet")
    good_since = snapshot.good_since if snapshot.last and snapshot.last.outcome is Outcome.SUCCESS else None
    fresh_at = snapshot.last.finished_at if snapshot.last else None
    if snapshot.override is not None:
        message = f"breaker {breaker} neither fires nor clears: {snapshot.override.sentence}"
        return Signal(trigger.name, SignalState.NEITHER, message, good_since=good_since, fresh_at=fresh_at)
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


def _pod_unhealthy(trigger: Trigger, spec: PodUnhealthyTrigger, observed: Observed, now: datetime) -> Signal:
    del spec  # its reasons are NotReady alone; the grace is in the histories already
    if not observed.target_known:
        return Signal(trigger.name, SignalState.UNKNOWN, "the target cannot be read")
    bad = [(pod, observed.histories[pod.meta.uid]) for pod in observed.pods if _is_bad(observed, pod)]
    if not bad:
        state, message, good = _quiet(observed)
        return Signal(trigger.name, state, message, good_since=good, fresh_at=now)
    since = min(history.bad_since for _, history in bad if history.bad_since is not None)
    fired = [pod for pod, history in bad if history.bad_since is not None and now - history.bad_since >= trigger.hold]
    names = ", ".join(pod.meta.key.name for pod, _ in bad[:3]) + (", …" if len(bad) > 3 else "")
    message = f"{len(bad)} of {len(observed.pods)} pods not Ready: {names}"
    if fired:
        uids = frozenset(pod.meta.uid for pod in fired)
        return Signal(trigger.name, SignalState.FIRING, message, since, pods=uids)
    return Signal(trigger.name, SignalState.PENDING, message, since, fires_at=since + trigger.hold)


def _is_bad(observed: Observed, pod: Pod) -> bool:
    history = observed.histories.get(pod.meta.uid)
    return history is not None and history.health is PodHealth.UNHEALTHY


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


def any_firing(signals: Sequence[Signal]) -> bool:
    """Whether at least one trigger fires."""
    return any(signal.state is SignalState.FIRING for signal in signals)


def all_clear(signals: Sequence[Signal]) -> bool:
    """Whether every signal is clear: no data and HalfOpen do not count as that."""
    return bool(signals) and all(signal.state is SignalState.CLEAR for signal in signals)


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
