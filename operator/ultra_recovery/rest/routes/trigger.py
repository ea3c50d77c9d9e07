"""Starting recoveries."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ultra_recovery.rest.answers import TriggerAnswer
from ultra_recovery.rest.bodies import ScopeBody, TriggerBody
from ultra_recovery.rest.context import Caller, Services
from ultra_recovery.rest.door_keeper import Starter, TheServices, Triggerer
from ultra_recovery.rest.lookup import find_breaker
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.reconnecting import reconnect_databases
from ultra_recovery.rest.render import service_name
from ultra_recovery.rest.respond import json_answer
from ultra_recovery.rest.routes.headers import IdempotencyKey
from ultra_recovery.rest.triggering import trigger_runs

router = APIRouter(prefix="/api/recovery", tags=["recoveries"])


@router.post("/trigger", status_code=202, response_model=TriggerAnswer, summary="Start the recovery of a service")
async def trigger(services: TheServices, caller: Triggerer, body: TriggerBody, key: IdempotencyKey = None) -> Response:
    """One run per policy that knows the error: by hand with the scope trigger, as a report with the scope report."""
    answer = await trigger_runs(services, caller, body, key)
    return json_answer(answer, 202, {"Location": answer.runs[0].location})


@router.post("/cache/clear", status_code=202, response_model=TriggerAnswer, summary="Clear caches")
async def clear_cache(
    services: TheServices, caller: Starter, body: ScopeBody | None = None, key: IdempotencyKey = None
) -> Response:
    """A run for every cache in scope. This version has no such action, and says so."""
    del key
    raise await _missing(services, caller, body, "clearCache", "cache (redis, memcached)")


@router.post("/database/reconnect", status_code=202, response_model=TriggerAnswer, summary="Connect to databases again")
async def reconnect_database(
    services: TheServices, caller: Starter, body: ScopeBody | None = None, key: IdempotencyKey = None
) -> Response:
    """A run of the database steps of every policy in scope; without `service_name` all that the caller may use."""
    answer = await reconnect_databases(services, caller, body, key)
    return json_answer(answer, 202, {"Location": answer.runs[0].location})


async def _missing(services: Services, caller: Caller, body: ScopeBody | None, action: str, targets: str) -> Problem:
    place = ""
    if body is not None and body.service_name is not None:
        place = f" for {service_name(await find_breaker(services.cache, caller, body.service_name))}"
    detail = (
        f"nothing was done{place}: this version has no action {action} and no breaker target of the kind {targets}; "
        "write a policy whose ladder runs a Job or calls a hook instead, and start it with /api/recovery/trigger"
    )
    return Problem(ProblemType.NO_ACTION, detail, missing={"action": action, "targets": targets})
