"""The dashboard's figures: computed from the objects that exist, and from nothing else. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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
_MOST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Scene:
    """What a caller may see, at one moment. Runs from the newest on."""

    breakers: Sequence[Breaker]
    policies: Sequence[tuple[Policy, Workload | None]]
    runs: Sequence[Run]
    now: datetime


def dashboard(scene: Scene) -> dict[str, Any]:
    """All figures."""
    return {
        "status": overview(scene),
        "health": {
            "dependencies": [_dependency(item) for item in scene.breakers],
            "workloads": [_workload(policy, workload) for policy, workload in scene.policies],
        },
        "recent_failures": recent_failures(scene.runs),
        "alerts": active_alerts(scene.breakers, [policy for policy, _ in scene.policies], scene.runs, scene.now),
        "trends": trends(scene),
    }


def overview(scene: Scene) -> dict[str, Any]:
    """What is going on now."""
    states = Counter(str(item.status.state or "Unknown") for item in scene.breakers)
    active = [item for item in scene.runs if not item.completed]
    waiting = sum(item.status.phase is RunPhase.AWAITING_APPROVAL for item in active)
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
        "active_runs": len(active),
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


def recent_failures(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The latest runs that did not help."""
    found = []
    for item in runs:
        if item.status.phase in FAILED:
            found.append(run_view(item).model_dump(by_alias=True))
            if len(found) == _MOST_FAILURES:
                break
    return found


def trends(scene: Scene) -> dict[str, Any]:
    """Figures over an hour, a day and a week, from the runs that exist: older ones may have been removed."""
    spans: dict[str, list[Run]] = {name: [] for name in PERIODS}
    for item in scene.runs:
        if item.spec is None or item.spec.dry_run or item.meta.created_at is None:
            continue
        age = scene.now - item.meta.created_at
        for name, period in PERIODS.items():
            if age <= period:
                spans[name].append(item)
    return {name: _trend(found, scene, PERIODS[name]) for name, found in spans.items()}


def _trend(runs: Sequence[Run], scene: Scene, period: timedelta) -> dict[str, Any]:
    phases = Counter(item.status.phase for item in runs)
    succeeded, failed = phases[RunPhase.SUCCEEDED], sum(phases[phase] for phase in FAILED)
    times = [
        (item.status.recovered_at - item.status.fault_observed_at).total_seconds()
        for item in runs
        if item.status.recovered_at is not None and item.status.fault_observed_at is not None
    ]
    return {
        "runs": len(runs),
        "attempts": sum(item.had_effect for item in runs),
        "succeeded": succeeded,
        "failed": failed,
        "cancelled": phases[RunPhase.CANCELLED],
        "success_rate": round(succeeded / (succeeded + failed), 4) if succeeded + failed else None,
        "seconds_to_recover": {
            "median": round(median(times), 3) if times else None,
            "longest": round(max(times), 3) if times else None,
        },
        "circuit_openings": _openings(runs, scene, period),
    }


def _openings(runs: Sequence[Run], scene: Scene, period: timedelta) -> int:
    """Breakers that opened: those that runs were started for, once per incident, and those that are open now."""
    seen: set[tuple[str, str]] = set()
    openings: set[tuple[str, str, str, int]] = set()
    for item in runs:
        plan, spec = item.status.plan, item.spec
        if plan is None or spec is None or spec.incident is None:
            continue
        namespace = item.meta.key.namespace
        for trigger in plan.triggers:
            if trigger.circuit_open is not None:
                breaker = trigger.circuit_open.breaker
                seen.add((namespace, breaker))
                openings.add((namespace, breaker, spec.policy_name, spec.incident))
    now_open = sum(
        item.status.state is not None
        and item.status.state is not BreakerState.CLOSED
        and (item.meta.key.namespace, item.meta.key.name) not in seen
        and item.status.since is not None
        and scene.now - item.status.since <= period
        for item in scene.breakers
    )
    return len(openings) + now_open
