"""Reads everything a decision needs into one frozen value. The last place that reads before deciding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ultra_recovery.actions.notify import NOTIFY
from ultra_recovery.apis.circuit_breaker import OverrideState
from ultra_recovery.apis.meta import TargetRef
from ultra_recovery.apis.recovery_policy import Dependency, RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase
from ultra_recovery.apis.trigger import Trigger
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.facts import DependencyFacts, PolicyFacts, Rails, RunFacts
from ultra_recovery.core.health import PodHistory, observe_pod, pods_of
from ultra_recovery.core.objects import Key, Kind, Pod, Policy, Run, Workload
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.signals import Observed, Signal, SignalState, is_quiet, read_health, read_signals
from ultra_recovery.core.target import TargetFacts
from ultra_recovery.engine.breakers import Breakers
from ultra_recovery.engine.creators import Creators
from ultra_recovery.engine.ledger import Ledger
from ultra_recovery.engine.policy_problems import find_problem
from ultra_recovery.engine.pool_memory import PoolMemory
from ultra_recovery.engine.rails import Claimant, RailsReader
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.target_lease import Claim
from ultra_recovery.ports import Clock

_DEFAULT_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Held:
    """What was asked of the world for one run before its facts are gathered.

    Attributes:
        target: the target's Lease; None: not asked.
        breakers: the Leases of the breakers that the current step touches; None: not asked.
        refused: what the API server answered to the latest effect, if it refused it for now.
        observations: what the actions saw of their open effects.
        creator: why the current step may not be done by who answers for the policy.
    """

    target: Claim | None = None
    breakers: Claim | None = None
    refused: Refusal | None = None
    observations: Mapping[str, object] = field(default_factory=dict)
    creator: Refusal | None = None


class Gatherer:
    """Turns the table into facts, and remembers of each pod what one look cannot tell."""

    def __init__(
        self, table: Table, breakers: Breakers, ledger: Ledger, rails: RailsReader, creators: Creators, clock: Clock
    ) -> None:
        self._table = table
        self._breakers = breakers
        self._ledger = ledger
        self._rails = rails
        self._creators = creators
        self._clock = clock
        self._histories: dict[tuple[str, timedelta], PodHistory] = {}
        self._pools = PoolMemory()

    def policy(self, policy: Policy, spec: RecoveryPolicySpec, *, run: str = "") -> PolicyFacts:
        """The facts of one policy.

        Args:
            policy: the policy.
            spec: its spec.
            run: name of a run that asks for itself: it counts neither as active nor against any limit.
        """
        key = policy.meta.key
        target = self.target(key.namespace, spec.target_ref)
        runs = [item for item in self._table.select(Kind.RUN, key.namespace) if isinstance(item, Run)]
        uid = target.workload.meta.uid if target.workload else ""
        records = self._ledger.records_of_policy(key.namespace, key.name)
        claimant = Claimant(key.namespace, key.name, spec.limits.budget, uid, run)
        verdict = self._creators.verdict(key.namespace, spec.service_account_name, spec.ladder)
        return PolicyFacts(
            policy=policy,
            spec=spec,
            target=target,
            signals=self.signals(key.namespace, spec.triggers, target),
            runs=[item for item in runs if _is_of(item, key.name) and item.meta.key.name != run],
            records=[record for record in records if record.name != run and record.uid],
            target_records=[record for record in self._ledger.records_of_target(uid) if record.policy != key.name],
            dependencies=self._dependencies(key.namespace, spec.dependencies),
            rails=replace(self._rails.read(claimant, self._clock.now()), creator=verdict.refusal),
            problem=find_problem(self._table, policy, spec, target) or verdict.problem,
        )

    def run(self, run: Run, term: int, held: Held) -> RunFacts:
        """The facts of one run: its own plan decides what is looked at, the policy's spec only before there is one."""
        namespace, name = run.meta.key.namespace, run.meta.key.name
        policy = self._table.get(Key(Kind.POLICY, namespace, run.spec.policy_name)) if run.spec else None
        policy = policy if isinstance(policy, Policy) else None
        plan, spec = run.status.plan, policy.spec if policy else None
        reference = plan.target_ref if plan else spec.target_ref if spec else None
        target = self.target(namespace, reference) if reference else TargetFacts(None)
        listed = plan.dependencies if plan else []
        pending = run.status.phase in (None, RunPhase.PENDING)
        now = self._clock.now()
        facts = self.policy(policy, spec, run=name) if pending and policy and spec else None
        return RunFacts(
            run=run,
            policy=policy,
            target=target,
            signals=self._run_signals(run, target, listed, now),
            term=term,
            policy_facts=facts,
            dependencies=self._dependencies(namespace, listed),
            rails=facts.rails if facts is not None else self._running_rails(namespace, held, now),
            reports=self._reports(run, spec, now) if pending and spec else {},
            lease_held=held.target.held if held.target else None,
            lease_holder=self.name_of(namespace, held.target.holder) if held.target else "",
            breaker_held=held.breakers.held if held.breakers else None,
            breaker_holder=self.name_of(namespace, held.breakers.holder) if held.breakers else "",
            refused=held.refused,
            observations=held.observations,
            notified=self._notified(run),
            touched=self._touched(run),
        )

    def _touched(self, run: Run) -> dict[str, Snapshot | None]:
        namespace, name = run.meta.key.namespace, run.current_rung.action.breaker if run.current_rung else None
        if name is None or self._table.get(Key(Kind.BREAKER, namespace, name)) is None:
            return {}
        return {name: self._breakers.snapshot(namespace, name)}

    def _running_rails(self, namespace: str, held: Held, now: datetime) -> Rails:
        return replace(self._rails.read_running(namespace, now), creator=held.creator)

    def name_of(self, namespace: str, run_uid: str) -> str:
        """Name of the run that holds a Lease, for messages; its UID where the run is not known."""
        runs = self._table.select(Kind.RUN, namespace)
        return next((run.meta.key.name for run in runs if run.meta.uid == run_uid), run_uid)

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
            snapshots = self._snapshots(namespace, trigger)
            observed = Observed(
                breakers=snapshots,
                pods=target.pods,
                histories=self._observe(target.pods, grace) if trigger.pod_unhealthy else {},
                target_known=target.workload is not None,
                pools=self._pools.observe(namespace, trigger, snapshots),
            )
            found += read_signals([trigger], observed, now)
        return tuple(found)

    def forget_pod(self, uid: str) -> None:
        """A pod is gone for good."""
        for key in [key for key in self._histories if key[0] == uid]:
            del self._histories[key]

    def attend(self, policy: Key, signals: Sequence[Signal]) -> None:
        """Have the databases probed more often whose trouble is shown by figures, for as long as it is there."""
        loud = (SignalState.PENDING, SignalState.FIRING)
        self._breakers.attend(policy, {item.database for item in signals if item.database and item.state in loud})

    def forget(self) -> None:
        """Forget what earlier probes of databases said: nobody may have probed meanwhile."""
        self._pools.forget()

    def _run_signals(
        self, run: Run, target: TargetFacts, dependencies: Sequence[Dependency], now: datetime
    ) -> tuple[Signal, ...]:
        plan, namespace = run.status.plan, run.meta.key.namespace
        if plan is None:
            return ()
        if plan.triggers:
            return self.signals(namespace, plan.triggers, target)
        breakers = {item.breaker: self._breakers.snapshot(namespace, item.breaker) for item in dependencies}
        return read_health(target, {name: item for name, item in breakers.items() if not is_quiet(item)}, now)

    def _dependencies(self, namespace: str, listed: Sequence[Dependency]) -> tuple[DependencyFacts, ...]:
        found = [(item.breaker, self._breakers.snapshot(namespace, item.breaker)) for item in listed]
        return tuple(_dependency_facts(name, snapshot) for name, snapshot in found)

    def _reports(self, run: Run, spec: RecoveryPolicySpec, now: datetime) -> dict[str, int]:
        """How many errors were reported of late, by trigger; this run's own report is one of them."""
        if run.spec is None or run.spec.cause is not Cause.REPORTED:
            return {}
        reports = [
            item
            for item in self._table.select(Kind.RUN, run.meta.key.namespace)
            if isinstance(item, Run)
            and _is_of(item, run.spec.policy_name)
            and item.spec is not None
            and item.spec.cause is Cause.REPORTED
        ]
        counts = {}
        for trigger in spec.triggers:
            wanted = trigger.error_reported
            if wanted is not None:
                counts[trigger.name] = sum(
                    item.spec is not None
                    and wanted.knows(item.spec.error_type, item.spec.context)
                    and now - (item.meta.created_at or now) <= wanted.within
                    for item in reports
                )
        return counts

    def _notified(self, run: Run) -> frozenset[str]:
        """What other runs of the same incident have told already."""
        spec = run.spec
        if spec is None or spec.incident is None:
            return frozenset()
        return frozenset(
            effect.object
            for item in self._table.select(Kind.RUN, run.meta.key.namespace)
            if isinstance(item, Run)
            and item.meta.uid != run.meta.uid
            and _is_of(item, spec.policy_name)
            and item.spec is not None
            and item.spec.incident == spec.incident
            for step in item.status.steps
            for effect in step.effects
            if effect.kind == NOTIFY and effect.outcome is EffectOutcome.DELIVERED
        )

    def _snapshots(self, namespace: str, trigger: Trigger) -> dict[str, Snapshot | None]:
        name = trigger.breaker
        if name is None:
            return {}
        return {name: self._breakers.snapshot(namespace, name)}

    def _observe(self, pods: Sequence[Pod], grace: timedelta) -> dict[str, PodHistory]:
        now, seen = self._clock.now(), {}
        for pod in pods:
            key = (pod.meta.uid, grace)
            self._histories[key] = seen[pod.meta.uid] = observe_pod(self._histories.get(key), pod, grace=grace, now=now)
        return seen


def _is_of(run: Run, policy: str) -> bool:
    return run.spec is not None and run.spec.policy_name == policy


def _dependency_facts(name: str, snapshot: Snapshot | None) -> DependencyFacts:
    """A fresh probe can be expected unless an override switches the breaker off, or callers report instead."""
    if snapshot is None:
        return DependencyFacts(name, None)
    judged = snapshot.override is None or snapshot.override.state is OverrideState.FORCED_OPEN
    external = snapshot.external
    return DependencyFacts(name, snapshot, probed=judged and not external, reported=judged and external)
