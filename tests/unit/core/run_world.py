"""A small pure world around one run: pods, Jobs, a dependency, people. It answers what the gatherer would gather."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.core.breaker_scene import CLOSED
from ultra_recovery.apis.meta import APPROVE_ANNOTATION, REJECT_ANNOTATION
from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus, RecoveryPolicyStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectStatus, RecoveryRunStatus, RunPhase, StepState
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.call import Delivery
from ultra_recovery.core.facts import DependencyFacts, PolicyFacts, Rails, RunFacts
from ultra_recovery.core.health import PodHistory, observe_pod
from ultra_recovery.core.job_document import JobResult, JobState
from ultra_recovery.core.objects import Key, Kind, Meta, Pod, Policy, Run, Workload
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.signals import Observed, read_health, read_signals
from ultra_recovery.core.target import TargetFacts

START = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
GRACE = timedelta(minutes=5)
NS = "shop"


class RunWorld:
    """Everything that is there, and how it changes."""

    def __init__(self, policy: RecoveryPolicySpec, run: RecoveryRunSpec, replicas: int, start: datetime) -> None:
        self.start = self.now = start
        self.policy: RecoveryPolicySpec | None = policy
        self.policy_deleted = False
        self.spec = run
        self.status = RecoveryRunStatus()
        self.annotations: dict[str, str] = {}
        self.term = 1
        self.target_uid, self.template, self.replicas = "target-1", "t1", replicas
        self.rolling_until = start
        self.pods: dict[str, Pod] = {}
        self.histories: dict[str, PodHistory] = {}
        self.jobs: dict[str, JobResult] = {}
        self.messages: dict[str, Delivery] = {}
        self.breaker = Snapshot(CLOSED, 1, start, Reason.INITIAL)
        self.rails = Rails()
        self.lease = self.breaker_lease = True
        self.refused: Refusal | None = None
        self.sickly = self.kubelet_asleep = False
        self.answers = Outcome.SUCCESS
        self._numbers = 0
        for _ in range(replicas):
            self.add_pod(ready=True)

    def add_pod(self, *, ready: bool) -> None:
        """A pod of the target comes to be."""
        self._numbers += 1
        name = f"web-{self._numbers}"
        meta = Meta(Key(Kind.POD, NS, name), f"uid-{self._numbers}", "1", created_at=self.now)
        self.pods[name] = Pod(meta, "Running" if ready else "Pending", ready, self.now if ready else None, self.now)

    def change_pod(self, name: str, **changes: Any) -> None:
        """Something happens to a pod."""
        self.pods[name] = replace(self.pods[name], **changes)

    def delete_pod(self, name: str) -> None:
        """A pod is on its way out, and not Ready any more."""
        pod = self.pods[name]
        meta = replace(pod.meta, deleting=True, deleted_at=self.now)
        self.pods[name] = replace(pod, meta=meta, ready=False, ready_changed_at=self.now)

    def kubelet(self) -> None:
        """Pods on their way out vanish, missing ones come, new ones become Ready."""
        for name, pod in list(self.pods.items()):
            if pod.meta.deleting:
                del self.pods[name]
            elif pod.phase == "Pending" and not self.sickly:
                self.change_pod(name, phase="Running", ready=True, ready_changed_at=self.now)
        while len(self.pods) < self.replicas:
            self.add_pod(ready=False)
        for name in sorted(self.pods)[self.replicas :]:
            self.delete_pod(name)

    def second(self) -> None:
        """A second passes: the dependency is probed, and the kubelet does its work."""
        self.now += timedelta(seconds=1)
        self.probe(self.answers)
        if not self.kubelet_asleep:
            self.kubelet()

    def probe(self, outcome: Outcome) -> None:
        """The dependency is probed now."""
        result = ProbeResult(outcome, Reason.PROBE_FAILED, "said so", self.now, self.now)
        good = (self.breaker.good_since or self.now) if outcome is Outcome.SUCCESS else None
        self.breaker = replace(self.breaker, last=result, good_since=good)

    def recreate(self) -> None:
        """The target is deleted and created again under its name."""
        self.target_uid += "x"

    def roll_out(self, seconds: int) -> None:
        """Somebody changes the template; that goes on for a while."""
        self.template += "x"
        self.rolling_until = self.now + timedelta(seconds=seconds)

    def new_leader(self) -> None:
        """The process is gone, and another one leads: what only the process knew is forgotten."""
        self.term += 1
        self.refused = None
        self.histories.clear()
        self.messages = {key: at for key, at in self.messages.items() if at is Delivery.DELIVERED}

    @property
    def denied(self) -> bool:
        """Whether the maintenance window of the ladders forbids steps: the first five minutes of the hour."""
        return self.now.minute < 5

    @property
    def workload(self) -> Workload:
        rolls = self.now < self.rolling_until
        meta = Meta(Key(Kind.DEPLOYMENT, NS, "web"), self.target_uid, "1", 2, self.start)
        count = self.replicas
        return Workload(meta, count, {"app": "web"}, False, 1 if rolls else 2, count, 0, count, 0, False, self.template)

    @property
    def target(self) -> TargetFacts:
        """The workload and its pods by name."""
        return TargetFacts(self.workload, tuple(self.pods[name] for name in sorted(self.pods)))

    @property
    def run(self) -> Run:
        """The run as it is stored."""
        meta = Meta(Key(Kind.RUN, NS, "web-1-1"), "run-1", "1", 1, self.start, annotations=self.annotations)
        return Run(meta, self.spec, self.status)

    @property
    def step_effects(self) -> Iterable[EffectStatus]:
        """Effects of the current step."""
        return self.status.steps[-1].effects if self.status.steps else ()

    def facts(self) -> RunFacts:
        """What the gatherer would gather."""
        for pod in self.pods.values():
            known = self.histories.get(pod.meta.uid)
            self.histories[pod.meta.uid] = observe_pod(known, pod, grace=GRACE, now=self.now)
        plan, pending = self.status.plan, self.status.phase in (None, RunPhase.PENDING)
        policy = self._policy()
        asked = self.status.phase is RunPhase.RUNNING or (pending and plan is not None)
        listed = plan.dependencies if plan is not None else []
        touches = bool(self.status.steps) and self.status.steps[-1].state is not StepState.DONE
        return RunFacts(
            run=self.run,
            policy=policy,
            target=self.target,
            signals=self._signals(),
            term=self.term,
            policy_facts=self._policy_facts(policy) if pending and policy else None,
            dependencies=tuple(DependencyFacts(item.breaker, self.breaker) for item in listed),
            rails=self.rails,
            reports={"reported": 1},
            lease_held=self.lease if asked else None,
            lease_holder="" if self.lease else "other",
            breaker_held=self.breaker_lease if touches else None,
            breaker_holder="" if self.breaker_lease else "other",
            refused=self.refused,
            observations=self._observations(),
        )

    def _signals(self):
        plan = self.status.plan
        if plan is None:
            return ()
        if not plan.triggers:
            return read_health(self.target, {item.breaker: self.breaker for item in plan.dependencies}, self.now)
        seen = Observed({"db": self.breaker}, list(self.pods.values()), self.histories)
        return read_signals(plan.triggers, seen, self.now)

    def _policy(self) -> Policy | None:
        if self.policy_deleted:
            return None
        incident = IncidentStatus(id=1, state=IncidentState.ACTIVE, fault_observed_at=self.start, opened_at=self.start)
        status = RecoveryPolicyStatus(incident=incident)
        return Policy(Meta(Key(Kind.POLICY, NS, "web"), "policy-1", "1", 1, self.start), self.policy, status)

    def _policy_facts(self, policy: Policy) -> PolicyFacts | None:
        if self.policy is None:
            return None
        seen = Observed({"db": self.breaker}, list(self.pods.values()), self.histories)
        signals = read_signals(self.policy.triggers, seen, self.now)
        return PolicyFacts(policy, self.policy, self.target, signals, rails=self.rails)

    def _observations(self) -> dict[str, object]:
        gone = JobResult(JobState.GONE, "the Job was deleted before its result was seen")
        found: dict[str, object] = {}
        for effect in self.step_effects:
            if effect.kind in ("CreateJob", "UndoJob"):
                found[effect.id] = self.jobs.get(effect.id, gone)
            elif effect.kind == "Notify" and effect.id in self.messages:
                found[effect.id] = self.messages[effect.id]
        return found

    def approve(self, *, yes: bool) -> None:
        """A person answers the step that waits."""
        self.annotations[APPROVE_ANNOTATION if yes else REJECT_ANNOTATION] = self.status.current_step or ""

    def refuse(self, reason: Reason, seconds: float) -> None:
        """The API server refuses the latest effect for now."""
        self.refused = Refusal(reason, "for now", self.now + timedelta(seconds=seconds))

    def pause(self, *, paused: bool) -> None:
        """The namespace is paused, or not any more."""
        problem = Problem(Reason.NAMESPACE_PAUSED, "paused") if paused else None
        self.rails = replace(self.rails, paused=problem)

    def storm(self, *, there: bool) -> None:
        """A storm begins or ends."""
        self.rails = replace(self.rails, storm=Refusal(Reason.STORM, "many are ill") if there else None)
