"""Health of pods: what one observation says, and what a row of observations says.

    started ──▶ Starting ──Ready──▶ Healthy ──not Ready──▶ Unhealthy
                   └──── not Ready for startupGrace ───────────▲

Pods that a restart cannot help, or that are not really there yet or any more, are NotCounted: Pending for longer than
the grace, Terminating, finished, pulling an image in vain, in CrashLoopBackOff. They neither fire a trigger nor are
they ever evicted. They have reasons of their own, which fire triggers that ask for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.trigger import PodUnhealthyReason
from ultra_recovery.core.objects import Kind, Pod, Workload

_UNHELPED = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "PodInitializing",
        "ContainerCreating",
    }
)
_STARTING = frozenset({"PodInitializing", "ContainerCreating"})
_PULLING = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"})
_MAX_KILLS = 20


class PodHealth(StrEnum):
    """What one observation of a pod says."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    STARTING = "Starting"
    NOT_COUNTED = "NotCounted"


@dataclass(frozen=True, slots=True)
class PodHistory:
    """What is remembered of one pod, by UID. A restart of the operator may forget it, never invent it.

    Attributes:
        was_ready: it has been Ready at least once.
        bad_since: first observation of the current row of bad ones.
        good_since: first observation of the current row of good ones.
        kills: when containers of it were killed for lack of memory, oldest first, at most twenty.
        troubles: since when each trouble that a restart does not help has been seen.
    """

    health: PodHealth
    was_ready: bool = False
    bad_since: datetime | None = None
    good_since: datetime | None = None
    kills: tuple[datetime, ...] = ()
    troubles: Mapping[PodUnhealthyReason, datetime] = field(default_factory=dict)


def judge_pod(pod: Pod, *, was_ready: bool, grace: timedelta, now: datetime) -> PodHealth:
    """Judge one observation of a pod for the reason NotReady."""
    if _is_on_its_way(pod, grace, now):
        return PodHealth.STARTING
    if pod.meta.deleting or pod.phase != "Running" or any(reason in _UNHELPED for reason in pod.waiting):
        return PodHealth.NOT_COUNTED
    if pod.ready:
        return PodHealth.HEALTHY
    if was_ready or _became_unready(pod):
        return PodHealth.UNHEALTHY
    start = pod.started_at or pod.meta.created_at
    return PodHealth.UNHEALTHY if start is not None and now - start > grace else PodHealth.STARTING


def _is_on_its_way(pod: Pod, grace: timedelta, now: datetime) -> bool:
    """Whether a pod is so new that being Pending says nothing yet: a replacement, which must not be passed over."""
    created = pod.meta.created_at
    fresh = created is not None and now - created <= grace
    return fresh and pod.phase == "Pending" and not pod.meta.deleting and set(pod.waiting) <= _STARTING


def _became_unready(pod: Pod) -> bool:
    """Whether the pod itself shows that it was Ready before: its Ready condition changed after its containers ran.

    A pod that was never Ready has that condition from before its containers started. This is how a restarted operator
    knows without memory. Times are whole seconds, so "after" leaves no doubt.
    """
    changed, started = pod.ready_changed_at, pod.containers_started_at
    return changed is not None and started is not None and changed > started


def observe_pod(history: PodHistory | None, pod: Pod, *, grace: timedelta, now: datetime) -> PodHistory:
    """Add one observation to what is remembered of a pod."""
    was_ready = history is not None and history.was_ready
    health = judge_pod(pod, was_ready=was_ready, grace=grace, now=now)
    good = health is PodHealth.HEALTHY
    bad = health is PodHealth.UNHEALTHY
    return PodHistory(
        health=health,
        was_ready=was_ready or good,
        bad_since=((history.bad_since if history else None) or now) if bad else None,
        good_since=((history.good_since if history else None) or now) if good else None,
        kills=_kills(history, pod),
        troubles=_troubles(history, pod, grace, now),
    )


def _kills(history: PodHistory | None, pod: Pod) -> tuple[datetime, ...]:
    """The kills for lack of memory so far. A pod shows only the latest of each container; the rest is remembered."""
    known = history.kills if history else ()
    shown = {item.finished_at for item in pod.terminated if item.reason == "OOMKilled" and item.finished_at is not None}
    return tuple(sorted({*known, *shown}))[-_MAX_KILLS:]


def _troubles(
    history: PodHistory | None, pod: Pod, grace: timedelta, now: datetime
) -> dict[PodUnhealthyReason, datetime]:
    """Troubles that a restart does not help, each with its first observation."""
    before = history.troubles if history else {}
    created, deleted = pod.meta.created_at, pod.meta.deleted_at
    looping = "CrashLoopBackOff" in pod.waiting
    present = {
        # Between two crashes the container runs for a while: only Ready is the end of a crash loop.
        PodUnhealthyReason.CRASH_LOOP: looping or (PodUnhealthyReason.CRASH_LOOP in before and not pod.ready),
        PodUnhealthyReason.IMAGE_PULL: any(reason in _PULLING for reason in pod.waiting),
        PodUnhealthyReason.PENDING: pod.phase == "Pending" and created is not None and now - created > grace,
        # A deletionTimestamp is the moment at which the pod should be gone, its grace period over.
        PodUnhealthyReason.TERMINATING: deleted is not None and now - deleted > grace,
    }
    return {reason: before.get(reason, now) for reason, there in present.items() if there}


def grace_ends(pod: Pod, grace: timedelta, now: datetime) -> datetime | None:
    """When time alone makes trouble of a pod that starts or terminates; None when it does not."""
    if pod.ready and not pod.meta.deleting:
        return None
    moments = (pod.meta.created_at, pod.started_at, pod.meta.deleted_at)
    # A moment after the grace: at its very end there is no trouble yet.
    ends = [moment + grace + _AFTER for moment in moments if moment is not None]
    return min((end for end in ends if end > now), default=None)


_AFTER = timedelta(milliseconds=1)


def trouble_since(
    history: PodHistory, reasons: Iterable[PodUnhealthyReason], kills: int, within: timedelta, now: datetime
) -> dict[PodUnhealthyReason, datetime]:
    """What is wrong with a pod among `reasons`, each with its first bad observation."""
    found = {}
    for reason in reasons:
        if reason is PodUnhealthyReason.NOT_READY:
            since = history.bad_since if history.health is PodHealth.UNHEALTHY else None
        elif reason is PodUnhealthyReason.OOM_KILLED:
            recent = [moment for moment in history.kills if now - moment <= within]
            since = recent[0] if len(recent) >= kills else None
        else:
            since = history.troubles.get(reason)
        if since is not None:
            found[reason] = since
    return found


def pods_of(workload: Workload, pods: Iterable[Pod]) -> list[Pod]:
    """The pods that belong to a workload, by name.

    A pod belongs to it by selector and by controller. Matching labels alone are not enough: a bare pod or another
    workload's pod with the same labels must never be evicted on this one's behalf.
    """
    found = [pod for pod in pods if _selected(workload.selector, pod.meta.labels) and _controlled_by(workload, pod)]
    return sorted(found, key=lambda pod: pod.meta.key.name)


def _selected(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def _controlled_by(workload: Workload, pod: Pod) -> bool:
    if pod.owner is None:
        return False
    if workload.meta.key.kind is Kind.STATEFUL_SET:
        return pod.owner.kind == "StatefulSet" and pod.owner.uid == workload.meta.uid
    # A Deployment names its ReplicaSets <deployment>-<pod-template-hash> and labels their pods with that hash.
    expected = f"{workload.meta.key.name}-{pod.meta.labels.get('pod-template-hash')}"
    return pod.owner.kind == "ReplicaSet" and pod.owner.name == expected


def is_available(pod: Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Whether a pod is Ready, for at least minReadySeconds, and not on its way out."""
    if not pod.ready or pod.meta.deleting:
        return False
    if not min_ready_seconds:
        return True
    return pod.ready_changed_at is not None and (now - pod.ready_changed_at).total_seconds() >= min_ready_seconds


def share_of(percent: str, replicas: int) -> int:
    """A percentage of replicas, rounded up."""
    return math.ceil(int(percent.removesuffix("%")) * replicas / 100)
