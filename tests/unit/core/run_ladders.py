"""Ladders, the policy around them, and runs, for stories about runs."""

from __future__ import annotations

from typing import Any

SERVICE = {"serviceRef": {"name": "web", "port": 80}, "path": "/reset"}


def _step(name: str, timeout: str = "30s", more: dict[str, Any] | None = None, **action: Any) -> dict[str, Any]:
    return {"name": name, "timeout": timeout, "action": action, **(more or {})}


RESTART = _step("restart", restartPods={})
RESTART_ALL = _step("all", restartPods={"pods": "All"})
JOB = _step("job", runJob={"cronJobName": "repair", "class": "DependencyRepair", "breaker": "db"})
UNDONE = _step("undone", runJob={"cronJobName": "grow", "class": "Rollout", "undo": {"cronJobName": "shrink"}})
HOOK = _step("hook", "10s", callHook=SERVICE)
SAFE_HOOK = _step("safe-hook", "10s", callHook={**SERVICE, "idempotent": True, "class": "Rollout"})
TELL = _step("tell", "5s", notify={"webhook": SERVICE})
APPROVED = {**RESTART, "name": "approved", "approval": {"within": "60s"}}
STOPS = {**UNDONE, "name": "stops", "onError": "Stop"}

LADDERS: dict[str, list[dict[str, Any]]] = {
    "all pods": [RESTART_ALL],
    "approval": [APPROVED, TELL],
    "approval later": [RESTART, {**HOOK, "approval": {"within": "60s"}}],
    "escalates": [RESTART, JOB, TELL],
    "hooks": [HOOK, SAFE_HOOK, TELL],
    "repair": [JOB, RESTART],
    "stops": [STOPS, RESTART, TELL],
    "tells first": [TELL, RESTART],
    "undo": [UNDONE, RESTART],
}

POLICY: dict[str, Any] = {
    "targetRef": {"kind": "Deployment", "name": "web"},
    "dependencies": [{"breaker": "db"}],
    "triggers": [
        {"name": "pods", "podUnhealthy": {}, "for": "2s"},
        {"name": "database", "circuitOpen": {"breaker": "db"}},
        {"name": "reported", "errorReported": {"errorTypes": ["CUSTOM_ERROR"]}},
    ],
    "verify": {"healthyFor": "2s", "within": "10s"},
    "limits": {"timeout": "200s"},
    "maintenanceWindows": [{"name": "hourly", "schedule": "0 * * * *", "duration": "5m"}],
}

_OWN = {"policyName": "web", "cause": "Trigger", "incident": 1, "sequence": 1, "attempt": 1, "triggers": ["pods"]}
RUNS: dict[str, dict[str, Any]] = {
    "own": _OWN,
    "own, for both": {**_OWN, "triggers": ["pods", "database"]},
    "own, dry": {**_OWN, "dryRun": True},
    "by hand": {"policyName": "web"},
    "by hand, forced": {"policyName": "web", "force": True, "reason": "ticket 4711"},
    "by hand, dry": {"policyName": "web", "dryRun": True},
    "reported": {"policyName": "web", "cause": "Reported", "errorType": "CUSTOM_ERROR", "context": {"shard": "eu"}},
}
