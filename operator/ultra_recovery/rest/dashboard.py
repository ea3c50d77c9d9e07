"""The dashboard's figures: computed from the objects that exist, and from nothing else. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.policy_status import IncidentState
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Breaker, Policy, Run, Workload
from ultra_recovery.rest.alerts import active_alerts, needs_human
from ultra_recovery.rest.render import condition, moment, run_view, service_name

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
FAILED = frozenset({RunPhase.FAILED, RunPhase.ERROR, RunPhase.INCONCLUSIVE})
MOST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class RunFact:
    """What trends need to know of a run; read from it once per version.

    Attributes:
        created: seconds since 1970.
        to_recover: seconds from the fault to proven recovery, None when that is not known.
        openings: breakers that opened for it, each with policy and incident.
    """

    namespace: str
    created: float
    phase: RunPhase | None
    effect: bool
    to_recover: float | None
    openings: tuple[tuple[str, str, int], ...]


def fact_of(item: Run) -> RunFact | None:
    """The fact of a run; None for one that counts nowhere: a rehearsal, or one that cannot be read."""
    spec, status, created = item.spec, item.status, item.meta.created_at
    if spec is None or spec.dry_run or created is None:
        return None
    recovered, fault = status.recovered_at, status.fault_observed_at
    openings: tuple[tuple[str, str, int], ...] = ()
    if status.plan is not None and spec.incident is not None:
        openings = tuple(
            (trigger.circuit_open.breaker, spec.policy_name, spec.incident)
            for trigger in status.plan.triggers
            if trigger.circuit_open is not None
        )
    return RunFact(
        item.meta.key.namespace,
        created.timestamp(),
        status.phase,
        item.had_effect,
        (recovered - fault).total_seconds() if recovered is not None and fault is not None else None,
        openings,
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """What a caller may see, at one moment.

    Attributes:
        active: the runs that are not completed.
        failures: the latest runs that did not help, the newest first.
        facts: of all runs.
    """

    breakers: Sequence[Breaker]
    policies: Sequence[tuple[Policy, Workload | None]]
    active: Sequence[Run]
    failures: Sequence[Run]
    facts: Sequence[RunFact]
    now: datetime


def dashboard(scene: Scene) -> dict[str, Any]:
    """All figures."""
    return {
        "status": overview(scene),
        "health": {
            "dependencies": [_dependency(item) for item in scene.breakers],
            "workloads": [_workload(policy, workload) for policy, workload in scene.policies],
        },
        "recent_failures": [run_view(item).model_dump(by_alias=True) for item in scene.failures],
        "alerts": active_alerts(scene.breakers, [policy for policy, _ in scene.policies], scene.active, scene.now),
        "trends": trends(scene),
    }


def overview(scene: Scene) -> dict[str, Any]:
    """What is going on now."""
    states = Counter(str(item.status.state or "Unknown") for item in scene.breakers)
    waiting = sum(item.status.phase is RunPhase.AWAITING_APPROVAL for item in scene.active)
    incidents = sum(
        policy.status.incident is not None and policy.status.incident.state is not IncidentState.CLOSED
        for policy, _ in scene.policies
    )
    helpless = sum(needs_human(policy) for policy, _ in scene.policies)
    return {
        "overall": _overall(states, incidents, helpless, len(scene.breakers)),
        "breakers": {name: states.get(name, 0) for name in ("Closed", "Open", "HalfOpen", "Unknown")},
        "policies": len(scene.policies),
        "open_incidents": incidents,
        "needs_human": helpless,
        "active_runs": len(scene.active),
        "awaiting_approval": waiting,
    }


def _overall(states: Counter[str], incidents: int, helpless: int, breakers: int) -> str:
    if states["Open"] or helpless:
        return "Unhealthy"
    if states["HalfOpen"] or incidents:
        return "Degraded"
    return "Unknown" if states["Unknown"] == breakers else "Healthy"


def _dependency(item: Breaker) -> dict[str, Any]:
    status = item.status
    return {
        "service_name": service_name(item),
        "state": status.state,
        "healthy": condition(status.conditions, "TargetHealthy"),
        "since": moment(status.since),
        "message": status.message,
    }


def _workload(policy: Policy, workload: Workload | None) -> dict[str, Any]:
    reference = policy.spec.target_ref if policy.spec is not None else None
    incident = policy.status.incident
    return {
        "policy": service_name(policy),
        "kind": reference.kind if reference is not None else None,
        "name": reference.name if reference is not None else None,
        "exists": workload is not None,
        "replicas": workload.replicas if workload is not None else None,
        "ready": workload.ready if workload is not None else None,
        "incident": incident.state if incident is not None else None,
        "decision": policy.status.last_decision.reason if policy.status.last_decision is not None else None,
        "needs_human": needs_human(policy),
    }


def trends(scene: Scene) -> dict[str, Any]:
    """Figures over an hour, a day and a week, from the runs that exist: older ones may have been removed."""
    now, found, shown = scene.now.timestamp(), scene.facts, {}
    # From the longest period to the shortest, each from what the one before has left.
    for name, period in sorted(PERIODS.items(), key=lambda pair: pair[1], reverse=True):
        begin = now - period.total_seconds()
        found = [fact for fact in found if fact.created >= begin]
        shown[name] = _trend(found, scene, period)
    return {name: shown[name] for name in PERIODS}


def _trend(facts: Sequence[RunFact], scene: Scene, period: timedelta) -> dict[str, Any]:
    phases = Counter(fact.phase for fact in facts)
    succeeded, failed = phases[RunPhase.SUCCEEDED], sum(phases[phase] for phase in FAILED)
    times = [fact.to_recover for fact in facts if fact.to_recover is not None]
    return {
        "runs": len(facts),
        "attempts": sum(fact.effect for fact in facts),
        "succeeded": succeeded,
        "failed": failed,
        "cancelled": phases[RunPhase.CANCELLED],
        "success_rate": round(succeeded / (succeeded + failed), 4) if succeeded + failed else None,
        "seconds_to_recover": {
            "median": round(median(times), 3) if times else None,
            "longest": round(max(times), 3) if times else None,
        },
        "circuit_openings": _openings(facts, scene, period),
    }


def _openings(facts: Sequence[RunFact], scene: Scene, period: timedelta) -> int:
    """Breakers that opened: those that runs were started for, once per incident, and those that are open now."""
    openings = {(fact.namespace, *opening) for fact in facts for opening in fact.openings}
    seen = {(namespace, breaker) for namespace, breaker, _, _ in openings}
    now_open = sum(
        item.status.state is not None
        and item.status.state is not BreakerState.CLOSED
        and (item.meta.key.namespace, item.meta.key.name) not in seen
        and item.status.since is not None
        and scene.now - item.status.since <= period
        for item in scene.breakers
    )
    return len(openings) + now_open
