"""Act 3: a breaker is reset by annotation, a fresh probe confirms it, and whoever waited for it goes on."""

from __future__ import annotations

import time
from typing import Any

from e2e.demo.timeline import Show
from e2e.kube import Kube, condition, status, wait_for


def reset_by_hand(kube: Kube, show: Show) -> list[str]:
    """Show the act; what was not as it should be."""
    pods = kube.pods("web")
    show.begin("Act 3: a reset by hand: kubectl annotate cb inventory recovery.ultra.dev/reset-requested-at=…")
    kube.run("scale", "deployment/inventory", "--replicas=0")
    _await_state(kube, show, "Open")
    kube.run("scale", "deployment/inventory", "--replicas=1")
    kube.run("rollout", "status", "deployment/inventory", "--timeout=60s")
    value = str(int(time.time()))
    kube.reset("cb", "inventory", value)
    show.line(None, f"reset requested ({value})")
    _await_state(kube, show, "Closed")
    wait_for(lambda: not status(kube.get("cb", "inventory")).get("unconfirmed"), "a fresh success after the reset")
    show.line(None, "confirmed by a fresh probe")
    problems = []
    if status(kube.get("cb", "inventory")).get("lastHandledResetAt") != value:
        problems.append("the reset was not recorded")
    wait_for(lambda: _is_quiet(kube), "web is Ready again and no run is active", seconds=90)
    same = len(set(pods.values()) & set(kube.pods("web").values()))
    show.line(None, f"web: 3 of 3 pods Ready, {same} of them the same as before; no run is active")
    return problems if same == len(pods) else [*problems, "pods of web were restarted while its dependency was down"]


def _is_quiet(kube: Kube) -> bool:
    ready = status(kube.get("deployment", "web")).get("readyReplicas", 0) == 3
    healthy = all(condition(item, "TargetHealthy").get("status") == "True" for item in kube.list("cb"))
    return ready and healthy and all(status(run).get("finishedAt") for run in kube.list("rr"))


def _await_state(kube: Kube, show: Show, state: str) -> None:
    def there() -> dict[str, Any] | None:
        record = status(kube.get("cb", "inventory"))
        return record if record.get("state") == state else None

    record = wait_for(there, f"breaker inventory is {state}", seconds=90)
    show.line(record["since"], f"breaker inventory {state}: {record['reason']}: {record['message']}")
