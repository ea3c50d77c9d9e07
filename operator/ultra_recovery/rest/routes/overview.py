"""The whole at a glance: status, dashboard, databases."""

from __future__ import annotations

import json
from itertools import islice

from fastapi import APIRouter, Request, Response

from ultra_recovery.core.objects import Breaker, Kind, Run
from ultra_recovery.rest.answers import as_json
from ultra_recovery.rest.door_keeper import Reader, TheServices
from ultra_recovery.rest.overviews import Dashboard, DatabaseHealth, StatusAnswer
from ultra_recovery.rest.pools import pool_view
from ultra_recovery.rest.render import breaker_view
from ultra_recovery.rest.respond import joined, tagged

router = APIRouter(prefix="/api", tags=["overview"])

DATABASE_KINDS = frozenset({"postgres", "mysql"})
DEPENDENCY_LABEL = "recovery.ultra.dev/dependency"
_MOST_ACTIVE = 100
_RECENT = 20


@router.get("/recovery/status", response_model=StatusAnswer, summary="Active and recent runs, and counters")
async def status(request: Request, services: TheServices, caller: Reader) -> Response:
    """What is going on, and what was done last."""
    cache, places = services.cache, caller.namespaces
    active = sorted(key for key in cache.active if key.namespace in places)
    items = [cache.table.get(key) for key in active[:_MOST_ACTIVE]]
    recent = islice((item for item in cache.ordered(Kind.RUN, places) if isinstance(item, Run)), _RECENT)
    phases: dict[str, int] = {}
    for (namespace, phase), count in cache.phases.items():
        if namespace in places and count:
            phases[phase] = phases.get(phase, 0) + count
    states: dict[str, int] = {}
    for item in cache.breakers():
        if item.meta.key.namespace in places:
            state = item.status.state or "Unknown"
            states[state] = states.get(state, 0) + 1
    counters = {
        "breakers": states,
        "runs": phases,
        "active_runs": len(active),
        "policies": cache.count(Kind.POLICY, places),
    }
    head = json.dumps({**services.freshness(), "counters": counters}, separators=(",", ":"), sort_keys=True).encode()
    shown = b",".join(services.fragments.run(item) for item in items if isinstance(item, Run))
    latest = b",".join(services.fragments.run(item) for item in recent)
    return tagged(request, b'%s,"active":[%s],"recent":[%s]}' % (head[:-1], shown, latest))


@router.get("/recovery/dashboard", response_model=Dashboard, summary="Health, failures, alerts and trends")
async def dashboard(request: Request, services: TheServices, caller: Reader) -> Response:
    """All figures of the dashboard; at most a second old while something changes."""
    return tagged(request, joined(services.freshness(), services.dashboards.body(caller.namespaces)))


@router.get("/health/database", response_model=DatabaseHealth, summary="The breakers of databases")
async def databases(request: Request, services: TheServices, caller: Reader) -> Response:
    """Breakers with a database as target, or with the label recovery.ultra.dev/dependency=database."""
    found = [
        item
        for item in services.cache.ordered(Kind.BREAKER, caller.namespaces)
        if isinstance(item, Breaker) and _is_database(item)
    ]
    views = [breaker_view(item) for item in found]
    fresh = services.freshness()
    answer = DatabaseHealth.model_validate(
        {
            **fresh,
            "overall": _overall([view.healthy for view in views]),
            "message": _message(len(views)),
            "items": views,
            "pools": [pool for item in found if (pool := pool_view(item)) is not None],
        }
    )
    return tagged(request, as_json(answer))


def _is_database(item: Breaker) -> bool:
    if item.meta.labels.get(DEPENDENCY_LABEL) == "database":
        return True
    return item.spec is not None and item.spec.target.kind in DATABASE_KINDS


def _overall(health: list[str]) -> str:
    if "False" in health:
        return "Unhealthy"
    return "Healthy" if health and set(health) == {"True"} else "Unknown"


def _message(count: int) -> str:
    if count:
        return f"{count} database breakers; pools has the figures of those that are probed"
    return f"no breaker is about a database: label one {DEPENDENCY_LABEL}=database"
