"""Act 3: a breaker is reset by annotation, and a fresh probe confirms it."""

from __future__ import annotations

import time
from typing import Any

from e2e.demo.timeline import Show
from e2e.kube import Kube, status, wait_for


def reset_by_hand(kube: Kube, show: Show) -> list[str]:
    """Show the act; what was not as it should be."""
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
    recorded = status(kube.get("cb", "inventory")).get("lastHandledResetAt") == value
    return [] if recorded else ["the reset was not recorded"]


def _await_state(kube: Kube, show: Show, state: str) -> None:
    def there() -> dict[str, Any] | None:
        record = status(kube.get("cb", "inventory"))
        return record if record.get("state") == state else None

    record = wait_for(there, f"breaker inventory is {state}", seconds=90)
    show.line(record["since"], f"breaker inventory {state}: {record['reason']}: {record['message']}")
