"""Facts about a policy, for tests of gates and decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.core.breaker_scene import CLOSED
from tests.unit.core.run_ladders import LADDERS, POLICY
from tests.unit.core.run_world import NS, START
from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus, RecoveryPolicyStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.budget import RunRecord
from ultra_recovery.core.facts import DependencyFacts, PolicyFacts
from ultra_recovery.core.objects import Key, Kind, Meta, Pod, Policy, Workload
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.signals import Signal, SignalState
from ultra_recovery.core.target import TargetFacts

NOW = START


def ago(seconds: float):
    """A moment before NOW."""
    return NOW - timedelta(seconds=seconds)


def incident(state: IncidentState = IncidentState.ACTIVE) -> IncidentStatus:
    return IncidentStatus(id=1, state=state, triggers=["pods"], fault_observed_at=ago(60), opened_at=ago(50))


def signal(state: SignalState = SignalState.FIRING, *pods: str, trigger: str = "pods") -> Signal:
    good = ago(30) if state is SignalState.CLEAR else None
    fires = NOW + timedelta(seconds=5) if state is SignalState.PENDING else None
    return Signal(trigger, state, state.value, ago(60), good, fires, NOW, frozenset(pods))


def workload(**changes: Any) -> Workload:
    labels = changes.pop("labels", {})
    deleting = changes.pop("deleting", False)
    meta = Meta(Key(Kind.DEPLOYMENT, NS, "web"), "target-1", "1", 2, ago(900), deleting=deleting, labels=labels)
    plain = Workload(meta, 2, {"app": "web"}, False, 2, 2, 0, 2, template_digest="t1")
    return replace(plain, **changes)


def pod(name: str, *, ready: bool = True) -> Pod:
    return Pod(Meta(Key(Kind.POD, NS, name), f"uid-{name}", "1", 1, ago(600)), "Running", ready, ago(500), ago(600))


def snapshot(outcome: Outcome | None = Outcome.SUCCESS, **changes: Any) -> Snapshot:
    last = ProbeResult(outcome, Reason.PROBE_FAILED, "said so", ago(1), ago(1)) if outcome else None
    return replace(Snapshot(CLOSED, 1, ago(600), Reason.INITIAL, "so it is", last=last), **changes)


def dependency(outcome: Outcome | None = Outcome.SUCCESS, **changes: Any) -> DependencyFacts:
    return DependencyFacts("db", snapshot(outcome, **changes))


def record(**changes: Any) -> RunRecord:
    plain = RunRecord(NS, "web", "web-1-1", "uid-1", "Trigger", ago(400), 1, "target-1", "Failed", "Unverified", True)
    return replace(plain, **{"started_at": ago(400), "finished_at": ago(300), **changes})


def facts(spec: dict[str, Any] | None = None, **changes: Any) -> PolicyFacts:
    """A policy whose pods hang, and nothing that would hold it back."""
    read = RecoveryPolicySpec.model_validate({**POLICY, "ladder": LADDERS["all pods"], **(spec or {})})
    meta = Meta(Key(Kind.POLICY, NS, "web"), "policy-1", "1", 1, ago(900))
    status = RecoveryPolicyStatus(incident=changes.pop("incident", incident()))
    target = TargetFacts(workload(), (pod("a", ready=False), pod("b")))
    usual: dict[str, Any] = {
        "target": target,
        "signals": (signal(SignalState.FIRING, "uid-a"),),
        "dependencies": (dependency(),),
    }
    return PolicyFacts(Policy(meta, read, status), read, **{**usual, **changes})
