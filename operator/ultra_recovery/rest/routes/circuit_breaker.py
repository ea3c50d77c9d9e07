"""Circuit breakers: what they are, a reset, reports and trials."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ultra_recovery.core.objects import Breaker, Kind
from ultra_recovery.rest.answers import BreakerPage, ReportAnswer, ResetAnswer, TrialAnswer, as_json
from ultra_recovery.rest.bodies import SERVICE_NAME, ReportBody, ResetBody, TrialBody
from ultra_recovery.rest.cache import order_of
from ultra_recovery.rest.door_keeper import Feeder, Reader, Resetter, TheServices
from ultra_recovery.rest.lookup import find_breaker
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import moment, service_name
from ultra_recovery.rest.reporters import OUTCOMES, is_external, reporter_name
from ultra_recovery.rest.resets import reset_breaker
from ultra_recovery.rest.respond import (
    DEFAULT_PAGE,
    Continue,
    Limit,
    decode_place,
    encode_place,
    json_answer,
    page,
    tagged,
)
from ultra_recovery.rest.routes.headers import IdempotencyKey
from ultra_recovery.rest.trials import Trials

router = APIRouter(prefix="/api/recovery/circuit-breaker", tags=["circuit breakers"])


@router.get("/status", response_model=BreakerPage, summary="All breakers that the caller may see")
async def status(
    request: Request,
    services: TheServices,
    caller: Reader,
    service: Annotated[
        str | None,
        Query(alias="service_name", max_length=317, pattern=SERVICE_NAME, description="Only this one."),
    ] = None,
    limit: Limit = DEFAULT_PAGE,
    after: Continue = None,
) -> Response:
    """One page of breakers, by namespace and name."""
    place = decode_place(after)
    if service is not None:
        found = [await find_breaker(services.cache, caller, service)]
        more, total = False, 1
    else:
        items = services.cache.ordered(Kind.BREAKER, caller.namespaces, place)
        found = [item for _, item in zip(range(limit + 1), items, strict=False) if isinstance(item, Breaker)]
        more, total = len(found) > limit, services.cache.count(Kind.BREAKER, caller.namespaces)
    shown = found[:limit]
    next_page = encode_place(order_of(shown[-1])) if more else None
    fragments = [services.fragments.breaker(item) for item in shown]
    return tagged(request, page(services.freshness(), fragments, total, next_page))


@router.post("/reset", status_code=202, response_model=ResetAnswer, summary="Reset a breaker")
async def reset(services: TheServices, caller: Resetter, body: ResetBody, key: IdempotencyKey = None) -> Response:
    """Ask the operator to close a breaker and to forget its failures; the dependency is probed at once."""
    item = await find_breaker(services.cache, caller, body.service_name)
    return json_answer(await reset_breaker(services, caller, item, body, key), 202)


@router.post("/report", status_code=202, response_model=ReportAnswer, summary="Feed an external breaker")
async def report(services: TheServices, caller: Feeder, body: ReportBody) -> Response:
    """Tell what calls to a dependency came to. Counted per caller, written at most once a second."""
    item = _external(await find_breaker(services.cache, caller, body.service_name))
    name = reporter_name(caller.name)
    accepted = body.epoch is None or body.epoch == item.status.epoch
    failures = 0
    if accepted:
        outcome = OUTCOMES[body.outcome]
        tally = await services.reporters.report(item, name, outcome, body.count, body.message or "")
        failures = tally.failures
        if body.outcome != "failure":
            await _trials(services).release(item, name)
        if tally.written is not None and tally.written.reported_at == tally.reported_at:
            caller.audit("report", service_name(item), reason=body.message, after=tally.entry())
    answer = ReportAnswer(
        service_name=service_name(item),
        accepted=accepted,
        reason="Accepted" if accepted else "EpochPassed",
        reporter=name,
        state=item.status.state,
        epoch=item.status.epoch,
        consecutive_failures=failures,
        retry_at=moment(item.status.trial_at),
    )
    return json_answer(answer, 202)


@router.post("/trial", response_model=TrialAnswer, summary="Ask for the trial of a half-open breaker")
async def trial(services: TheServices, caller: Feeder, body: TrialBody) -> Response:
    """Whether the caller may call the dependency now; if not, when to ask again."""
    item = _external(await find_breaker(services.cache, caller, body.service_name))
    answer = await _trials(services).ask(item, reporter_name(caller.name), body.epoch)
    if answer.holder is not None:
        caller.audit("trial", service_name(item), after={"holder": answer.holder, "until": answer.until})
    return Response(as_json(answer), 200, media_type="application/json")


def _trials(services: TheServices) -> Trials:
    return Trials(services.cache, services.objects, services.clock)


def _external(item: Breaker) -> Breaker:
    if not is_external(item):
        kind = item.spec.target.kind if item.spec is not None else "unreadable"
        detail = f"{service_name(item)} has the target {kind}: only external breakers take reports and hand out trials"
        raise Problem(ProblemType.NOT_EXTERNAL, detail)
    return item
