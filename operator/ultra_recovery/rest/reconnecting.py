"""From a reconnect call to runs: one per policy that has steps on a database in scope, of these steps alone."""

from __future__ import annotations

import uuid
from dataclasses import replace

from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.core.objects import Breaker, Policy
from ultra_recovery.rest.answers import TriggerAnswer
from ultra_recovery.rest.bodies import ScopeBody
from ultra_recovery.rest.context import Caller, Services
from ultra_recovery.rest.idempotency import carries, mark_of
from ultra_recovery.rest.lookup import find_breaker
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import service_name
from ultra_recovery.rest.triggering import Order, Wish, start_or_join

ACTION, TARGETS = "reconnectDatabase", "database (postgres, mysql)"


async def reconnect_databases(
    services: Services, caller: Caller, body: ScopeBody | None, key: str | None
) -> TriggerAnswer:
    """Start or join one run per policy.

    Raises:
        Problem: no policy has such a step, there is no such breaker, or the key belongs to another request.
        ApiError: the API server refused a write, or did not answer: some runs may have been created.
    """
    text = body.service_name if body is not None else None
    mark = mark_of(caller.name, key, "reconnect", {"service_name": text}) if key is not None else None
    with services.keys.hold(mark):
        if mark is not None:
            for item in services.cache.runs():
                carries(item.meta, mark)
        breaker = await find_breaker(services.cache, caller, text) if text is not None else None
        found = _concerned(services, caller, breaker)
        request = mark.key if mark is not None else uuid.uuid4().hex
        order = Order(Wish(), caller, Cause.MANUAL, mark, request)
        runs = [
            await start_or_join(services, replace(order, wish=Wish(steps=steps)), policy) for policy, steps in found
        ]
    return TriggerAnswer(error_type="", cause=Cause.MANUAL, runs=runs, request_id=caller.request_id)


def _concerned(services: Services, caller: Caller, breaker: Breaker | None) -> list[tuple[Policy, tuple[str, ...]]]:
    """Policies of the caller with the names of their steps on a database, or on this one."""
    place = breaker.meta.key.namespace if breaker is not None else None
    policies = [
        item
        for item in services.cache.policies()
        if (item.meta.key.namespace == place if place else item.meta.key.namespace in caller.namespaces)
    ]
    name = breaker.meta.key.name if breaker is not None else None
    pairs = [(item, _steps(item, name)) for item in policies]
    found = sorted((pair for pair in pairs if pair[1]), key=lambda pair: service_name(pair[0]))
    if found:
        return found
    where = f"on {service_name(breaker)}" if breaker is not None else "on a database"
    detail = f"nothing was done: no policy in scope has a step {where}; add {ACTION} to the ladder of a policy"
    raise Problem(ProblemType.NO_ACTION, detail, missing={"action": ACTION, "targets": TARGETS})


def _steps(policy: Policy, breaker: str | None) -> tuple[str, ...]:
    ladder = policy.spec.ladder if policy.spec is not None else []
    own = [(step.name, step.action.database) for step in ladder]
    return tuple(name for name, action in own if action is not None and breaker in (None, action.breaker))
