"""What needs somebody's attention now, derived from the objects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Breaker, Policy, Run
from ultra_recovery.rest.render import condition, moment, service_name

LONG = timedelta(minutes=5)
MANY_FAILURES = 3
_MOST = 200
_ORDER = {"critical": 0, "error": 1, "warning": 2}


def needs_human(policy: Policy) -> bool:
    """Whether all attempts of a policy's incident are used up."""
    return condition(policy.status.conditions, "NeedsHuman") == "True"


def active_alerts(
    breakers: Sequence[Breaker], policies: Sequence[Policy], runs: Iterable[Run], now: datetime
) -> list[dict[str, Any]]:
    """All alerts, the worst first; at most 200."""
    found = [
        *(alert for item in breakers for alert in _of_breaker(item, now)),
        *(alert for item in policies for alert in _of_policy(item)),
        *(alert for item in runs if not item.completed for alert in _of_run(item, now)),
    ]
    return sorted(found, key=lambda alert: (_ORDER[alert["severity"]], alert["object"], alert["name"]))[:_MOST]


def _alert(severity: str, name: str, target: str, since: datetime | None, message: str) -> dict[str, Any]:
    return {"severity": severity, "name": name, "object": target, "since": moment(since), "message": message}


def _of_breaker(item: Breaker, now: datetime) -> list[dict[str, Any]]:
    status, name, found = item.status, f"circuit-breaker/{service_name(item)}", []
    if status.state is BreakerState.OPEN:
        found.append(_alert("error", "CircuitOpen", name, status.since, status.message or "the circuit is open"))
        if status.since is not None and now - status.since > LONG:
            found.append(_alert("critical", "ServiceDown", name, status.since, "down for more than five minutes"))
    if status.consecutive_failures > MANY_FAILURES:
        message = f"{status.consecutive_failures} failures in a row"
        found.append(_alert("warning", "ConsecutiveFailures", name, None, message))
    return found


def _of_policy(item: Policy) -> list[dict[str, Any]]:
    if not needs_human(item):
        return []
    opened = item.status.incident.opened_at if item.status.incident is not None else None
    message = "all attempts are used up: mend the cause, then reset the policy"
    return [_alert("error", "NeedsHuman", f"policy/{service_name(item)}", opened, message)]


def _of_run(item: Run, now: datetime) -> list[dict[str, Any]]:
    status, name, found = item.status, f"run/{service_name(item)}", []
    if status.phase is RunPhase.AWAITING_APPROVAL:
        message = f"step {status.current_step or ''} waits for approval"
        found.append(_alert("warning", "AwaitingApproval", name, status.started_at, message))
    if status.started_at is not None and now - status.started_at > LONG:
        found.append(_alert("warning", "LongRecovery", name, status.started_at, "runs for more than five minutes"))
    return found
