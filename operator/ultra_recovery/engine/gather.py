"""Reads everything a decision needs into one frozen value. The last place that reads before deciding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ultra_recovery.apis.meta import TargetRef
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.trigger import Trigger
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.facts import PolicyFacts, Problem, Refusal, RunFacts, TargetFacts
from ultra_recovery.core.health import PodHistory, observe_pod, pods_of
from ultra_recovery.core.objects import Breaker, Key, Kind, Pod, Policy, Run, Workload
from ultra_recovery.core.signals import Observed, Signal, read_signals
from ultra_recovery.engine.breakers import Breakers
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.target_lease import Claim
from ultra_recovery.ports import Clock

_DEFAULT_GRACE = timedelta(minutes=5)


class Gatherer:
    """Turns the table into facts, and remembers of each pod what one look cannot tell."""

    def __init__(self, table: Table, breakers: Breakers, clock: Clock) -> None:
        self._table = table
        self._breakers = breakers
        self._clock = clock
        self._histories: dict[tuple[str, timedelta], PodHistory] = {}

    def policy(self, policy: Policy, spec: RecoveryPolicySpec, lease_holder: str = "") -> PolicyFacts:
        """The facts of one policy."""
        namespace = policy.meta.key.namespace
        target = self.target(namespace, spec.target_ref)
        runs = [item for item in self._table.select(Kind.RUN, namespace) if isinstance(item, Run)]
        own = [run for run in runs if run.spec is not None and run.spec.policy_name == policy.meta.key.name]
        return PolicyFacts(
            policy=policy,
            spec=spec,
            target=target,
            signals=self.signals(namespace, spec.triggers, target),
            runs=own,
            target_runs=[run for run in runs if run not in own and self._is_on(run, target)],
            lease_holder=lease_holder,
            problem=self._problem(namespace, spec, target),
        )

    def run(self, run: Run, term: int, claim: Claim | None, refused: Refusal | None) -> RunFacts:
        """The facts of one run: its own plan decides what is looked at, the policy's spec only before there is one."""
        namespace = run.meta.key.namespace
        policy = self._table.get(Key(Kind.POLICY, namespace, run.spec.policy_name)) if run.spec else None
        policy = policy if isinstance(policy, Policy) else None
        plan, spec = run.status.plan, policy.spec if policy else None
        reference = plan.target_ref if plan else spec.target_ref if spec else None
        target = self.target(namespace, reference) if reference else TargetFacts(None)
        triggers: Sequence[Trigger] = plan.triggers if plan else ()
        return RunFacts(
            run=run,
            policy=policy,
            target=target,
            signals=self.signals(namespace, triggers, target),
            term=term,
            lease_held=claim.held if claim else None,
            lease_holder=claim.holder if claim else "",
            refused=refused,
        )

    def target(self, namespace: str, reference: TargetRef) -> TargetFacts:
        """The target workload and its pods."""
        workload = self._table.get(Key(Kind(reference.kind), namespace, reference.name))
        if not isinstance(workload, Workload):
            return TargetFacts(None)
        pods = [item for item in self._table.select(Kind.POD, namespace) if isinstance(item, Pod)]
        return TargetFacts(workload, tuple(pods_of(workload, pods)))

    def signals(self, namespace: str, triggers: Sequence[Trigger], target: TargetFacts) -> tuple[Signal, ...]:
        """What each trigger says now. Each is judged with its own grace for pods that are starting."""
        now = self._clock.now()
        found: list[Signal] = []
        for trigger in triggers:
            grace = trigger.pod_unhealthy.startup_grace if trigger.pod_unhealthy else _DEFAULT_GRACE
            observed = Observed(
                breakers=self._snapshots(namespace, trigger),
                pods=target.pods,
                histories=self._observe(target.pods, grace) if trigger.pod_unhealthy else {},
                target_known=target.workload is not None,
            )
            found += read_signals([trigger], observed, now)
        return tuple(found)

    def forget_pod(self, uid: str) -> None:
        """A pod is gone for good."""
        for key in [key for key in self._histories if key[0] == uid]:
            del self._histories[key]

    def _snapshots(self, namespace: str, trigger: Trigger) -> dict[str, Snapshot | None]:
        if trigger.circuit_open is None:
            return {}
        name = trigger.circuit_open.breaker
        return {name: self._breakers.snapshot(namespace, name)}

    def _observe(self, pods: Sequence[Pod], grace: timedelta) -> dict[str, PodHistory]:
        now, seen = self._clock.now(), {}
        for pod in pods:
            key = (pod.meta.uid, grace)
            self._histories[key] = seen[pod.meta.uid] = observe_pod(self._histories.get(key), pod, grace=grace, now=now)
        return seen

    @staticmethod
    def _is_on(run: Run, target: TargetFacts) -> bool:
        return (
            target.workload is not None
            and run.status.target is not None
            and run.status.target.uid == target.workload.meta.uid
        )

    def _problem(self, namespace: str, spec: RecoveryPolicySpec, target: TargetFacts) -> Problem | None:
        reference, workload = spec.target_ref, target.workload
        if workload is None:
            message = f"{reference.kind} {reference.name} does not exist in namespace {namespace}"
            return Problem(Reason.TARGET_NOT_FOUND, message)
        if workload.has_expressions or not workload.selector:
            message = f"{reference.kind} {reference.name} must select its pods by matchLabels alone"
            return Problem(Reason.TARGET_INVALID, message)
        for trigger in spec.triggers:
            if trigger.circuit_open is None:
                continue
            name = trigger.circuit_open.breaker
            if not isinstance(self._table.get(Key(Kind.BREAKER, namespace, name)), Breaker):
                message = f"trigger {trigger.name}: CircuitBreaker {name} does not exist in namespace {namespace}"
                return Problem(Reason.BREAKER_NOT_FOUND, message)
        return None
