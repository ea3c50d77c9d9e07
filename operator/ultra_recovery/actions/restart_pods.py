"""restartPods: rolling eviction. One pod at a time; the next when the replacement of the last is Ready.

Eviction honours PodDisruptionBudgets and leaves the pod template alone, so GitOps tools see no drift and the revision
history stays what the user made it. A pod in CrashLoopBackOff is never chosen: a restart does not help it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ultra_recovery.actions.performer import Errand, Toolbox
from ultra_recovery.apis.action import Action
from ultra_recovery.apis.meta import EXCLUDE_LABEL
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, StepStatus
from ultra_recovery.core.action import EffectClass, Proposal, Settlement, Sighting, StepView, Traits
from ultra_recovery.core.database_request import offenders_of
from ultra_recovery.core.errors import Conflict, NotFound
from ultra_recovery.core.health import PodHealth, judge_pod
from ultra_recovery.core.objects import Key, Kind, Pod
from ultra_recovery.core.rights import Right
from ultra_recovery.core.step_gates import ActionClass

_LATEST = datetime.max.replace(tzinfo=UTC)
EVICT = "Evict"
_TRAITS = Traits(ActionClass.DISRUPTIVE, EffectClass.GUARDED, rights=(Right("create", "pods/eviction", ""),))


class RestartPodsAction:
    """Restarts pods by evicting them. Guarded: the UID precondition makes a repeated eviction harmless."""

    def traits(self, action: Action) -> Traits:
        """Disruptive and guarded."""
        del action
        return _TRAITS

    def propose(self, view: StepView) -> Proposal | None:
        """The next pod: those that are not Ready first, then by name."""
        evicted = {effect.id for effect in view.step.effects}
        if evicted and _is_offending(view):
            return None
        candidates = [pod for pod in self._wanted(view) if pod.meta.uid not in evicted and not pod.meta.deleting]
        if not candidates:
            return None
        pod = min(candidates, key=lambda candidate: (candidate.ready, candidate.meta.key.name))
        others = [other for other in view.target.available(view.now) if other.meta.uid != pod.meta.uid]
        effect = EffectStatus(
            kind=EVICT, object=pod.meta.key.name, id=pod.meta.uid, ready_before=len(others), intent_at=view.now
        )
        return Proposal(effect, pod)

    def _wanted(self, view: StepView) -> list[Pod]:
        restart = view.action.restart_pods
        if restart is None:
            return []
        pods = [pod for pod in view.target.pods if pod.meta.labels.get(EXCLUDE_LABEL) != "true"]
        if restart.pods == "Unhealthy":
            unhealthy = frozenset[str]().union(*(signal.pods for signal in view.signals))
            return [pod for pod in pods if pod.meta.uid in unhealthy]
        if _is_offending(view):
            pod = worst_offender(view, pods)
            return [pod] if pod is not None and self._is_helped(pod, view) else []
        return [pod for pod in pods if self._is_old(pod, view) and self._is_helped(pod, view)]

    @staticmethod
    def _is_old(pod: Pod, view: StepView) -> bool:
        """Whether a pod was there when the action began; a younger one is a replacement.

        Both times are the API server's, so its clock and ours need not agree.
        """
        until = view.step.pods_until
        return until is None or pod.meta.created_at is None or pod.meta.created_at <= until

    @staticmethod
    def _is_helped(pod: Pod, view: StepView) -> bool:
        health = judge_pod(pod, was_ready=pod.ready, grace=timedelta(0), now=view.now)
        return health is not PodHealth.NOT_COUNTED

    def look(self, effect: EffectStatus, view: StepView) -> Sighting:
        """A pod that is gone, terminating, or another one under its name: done. Still there: not done.

        One that has become Ready meanwhile, and was to be evicted for not being so, is left alone.
        """
        pod = next((pod for pod in view.target.pods if pod.meta.uid == effect.id), None)
        if pod is None or pod.meta.deleting:
            return Sighting(EffectOutcome.EVICTED)
        if pod.ready and pod not in self._wanted(view):
            return Sighting(EffectOutcome.WITHDRAWN, message="the pod became Ready before it was evicted")
        return Sighting()

    def settled(self, effect: EffectStatus, view: StepView) -> Settlement | None:
        """The pod is gone or terminating, and one more pod is Ready than were without it, or all that are wanted."""
        pod = next((pod for pod in view.target.pods if pod.meta.uid == effect.id), None)
        if pod is not None and not pod.meta.deleting:
            return None
        replicas = view.target.workload.replicas if view.target.workload else 0
        done = len(view.target.available(view.now)) >= min(effect.ready_before + 1, replicas)
        return Settlement() if done else None

    def undo(self, view: StepView) -> None:
        """A pod that was restarted is not taken back."""
        del view

    async def observe(self, errand: Errand, tools: Toolbox) -> None:
        """The table shows all pods."""
        del errand, tools

    async def perform(self, errand: Errand, tools: Toolbox) -> Sighting:
        """Evict the pod.

        A pod that is gone at the first attempt was removed by somebody else. At a repeated one it was most likely our
        own earlier attempt: it counts as ours, so that no attempt and no budget is forgotten.

        Raises:
            ApiError: as Cluster.evict; a pod that is gone already is no error.
        """
        effect = errand.effect
        gone = EffectOutcome.EVICTED if errand.repeated else EffectOutcome.GONE
        try:
            await tools.cluster.evict(Key(Kind.POD, errand.namespace, effect.object), effect.id)
        except NotFound:
            return Sighting(gone)
        except Conflict as error:
            return Sighting(gone, message=str(error))
        return Sighting(EffectOutcome.EVICTED)


def _is_offending(view: StepView) -> bool:
    return view.action.restart_pods is not None and view.action.restart_pods.pods == "Offending"


def worst_offender(view: StepView, pods: Sequence[Pod]) -> Pod | None:
    """The pod that held most of the sessions at fault, as the last database step of this run saw them.

    A pod that came after that step may have the address of one that is gone: it is not meant. Addresses of others, such
    as a pooler's, are not the target's business.
    """
    step = _last_database_step(view)
    if step is None:
        return None
    counts, until = offenders_of(step.evidence), step.pods_until or _LATEST
    held = [(max((counts.get(address, 0) for address in pod.ips), default=0), pod) for pod in pods]
    guilty = [
        (count, pod)
        for count, pod in held
        if count and (pod.meta.created_at is None or pod.meta.created_at <= until) and not pod.meta.deleting
    ]
    return min(guilty, key=lambda item: (-item[0], item[1].meta.key.name))[1] if guilty else None


def _last_database_step(view: StepView) -> StepStatus | None:
    """The latest step on a database before this one that left evidence."""
    plan = view.run.status.plan
    actions = {rung.name: rung.action for rung in plan.ladder} if plan is not None else {}
    earlier = [step for step in view.run.status.steps if step.name != view.step.name and step.evidence]
    on_databases = [step for step in earlier if step.name in actions and actions[step.name].database is not None]
    return on_databases[-1] if on_databases else None
