"""Runs: list, read, report, approve, reject, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ultra_recovery.apis.meta import (
    APPROVE_ANNOTATION,
    CANCEL_ANNOTATION,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    REJECT_ANNOTATION,
    format_time,
)
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.errors import NotFound
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.core.parsing import parse
from ultra_recovery.rest.answers import RunChange, RunDetail, RunPage, RunReport, as_json
from ultra_recovery.rest.auth.identity import Scope
from ultra_recovery.rest.bodies import ApproveBody, ReasonBody
from ultra_recovery.rest.cache import order_of
from ultra_recovery.rest.context import Caller, Services
from ultra_recovery.rest.door_keeper import Approver, Reader, TheServices
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import run_report, run_view, step_view
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

router = APIRouter(prefix="/api/recovery/runs", tags=["runs"])

Namespace = Annotated[str, Path(min_length=1, max_length=63, pattern=DNS_LABEL)]
Name = Annotated[str, Path(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]


@router.get("", response_model=RunPage, summary="Runs, the newest first")
async def list_runs(
    request: Request,
    services: TheServices,
    caller: Reader,
    namespace: Annotated[str | None, Query(min_length=1, max_length=63, pattern=DNS_LABEL)] = None,
    policy: Annotated[str | None, Query(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)] = None,
    phase: Annotated[RunPhase | None, Query()] = None,
    limit: Limit = DEFAULT_PAGE,
    after: Continue = None,
) -> Response:
    """One page of runs, newest first; `total` counts without the filters policy and phase."""
    places = caller.namespaces
    if namespace is not None:
        await caller.need(Scope.READ, namespace)
        places = frozenset({namespace})
    found: list[Run] = []
    for item in services.cache.ordered(Kind.RUN, places, decode_place(after)):
        if isinstance(item, Run) and _fits(item, policy, phase):
            found.append(item)
            if len(found) > limit:
                break
    shown = found[:limit]
    next_page = encode_place(order_of(shown[-1])) if len(found) > limit else None
    fragments = [services.fragments.run(item) for item in shown]
    return tagged(request, page(services.freshness(), fragments, services.cache.count(Kind.RUN, places), next_page))


@router.get("/{namespace}/{name}", response_model=RunDetail, summary="One run, with its steps")
async def read_run(
    request: Request, services: TheServices, caller: Reader, namespace: Namespace, name: Name
) -> Response:
    """A run; one that the cache does not know yet is looked for in the cluster."""
    item = await _find(services, caller, Scope.READ, namespace, name)
    spec = item.spec
    detail = RunDetail.model_validate(
        {
            **services.freshness(),
            "run": run_view(item),
            "steps": [step_view(step) for step in item.status.steps],
            "requested_steps": spec.steps if spec is not None else [],
            "requested_reason": spec.reason if spec is not None else None,
            "context": (spec.context if spec is not None else None) or {},
        }
    )
    return tagged(request, as_json(detail))


@router.get("/{namespace}/{name}/report", response_model=RunReport, summary="A run as a story, for a post-mortem")
async def report(request: Request, services: TheServices, caller: Reader, namespace: Namespace, name: Name) -> Response:
    """What happened, in the order of time."""
    item = await _find(services, caller, Scope.READ, namespace, name)
    fresh = services.freshness()
    age = fresh["age_seconds"]
    told = run_report(item, stale=bool(fresh["stale"]), age_seconds=age if isinstance(age, float) else None)
    return tagged(request, as_json(told))


@router.post("/{namespace}/{name}/approve", status_code=202, response_model=RunChange, summary="Approve a step")
async def approve(
    services: TheServices, caller: Approver, namespace: Namespace, name: Name, body: ApproveBody | None = None
) -> Response:
    """Let the step that waits for approval begin."""
    return await _answer_step(services, caller, (namespace, name), body, "approve", APPROVE_ANNOTATION)


@router.post("/{namespace}/{name}/reject", status_code=202, response_model=RunChange, summary="Reject a step")
async def reject(
    services: TheServices, caller: Approver, namespace: Namespace, name: Name, body: ApproveBody | None = None
) -> Response:
    """Refuse the step that waits for approval: the run ends."""
    return await _answer_step(services, caller, (namespace, name), body, "reject", REJECT_ANNOTATION)


@router.post("/{namespace}/{name}/cancel", status_code=202, response_model=RunChange, summary="Cancel a run")
async def cancel(
    services: TheServices, caller: Approver, namespace: Namespace, name: Name, body: ReasonBody | None = None
) -> Response:
    """Ask the run to finish, verify and undo its current step, and then to end."""
    item = await _find(services, caller, Scope.APPROVE, namespace, name)
    if item.completed:
        raise Problem(ProblemType.WRONG_PHASE, f"the run has ended already: {item.status.phase}")
    value = format_time(services.clock.now())
    reason = body.reason if body is not None else None
    return await _annotate(services, caller, item, ("cancel", CANCEL_ANNOTATION, value), reason)


async def _answer_step(
    services: Services,
    caller: Caller,
    place: tuple[str, str],
    body: ApproveBody | None,
    word: str,
    annotation: str,
) -> Response:
    item = await _find(services, caller, Scope.APPROVE, *place)
    waiting = item.status.current_step if item.status.phase is RunPhase.AWAITING_APPROVAL else None
    if waiting is None:
        phase = item.status.phase or RunPhase.PENDING
        raise Problem(ProblemType.WRONG_PHASE, f"no step of this run awaits approval: it is {phase}")
    if body is not None and body.step not in (None, waiting):
        raise Problem(ProblemType.WRONG_PHASE, f"step {waiting} awaits approval, not {body.step}")
    return await _annotate(services, caller, item, (word, annotation, waiting), body.reason if body else None)


async def _annotate(
    services: Services, caller: Caller, item: Run, intent: tuple[str, str, str], reason: str | None
) -> Response:
    word, annotation, value = intent
    key = item.meta.key
    # At any version: the operator writes often, and judges anew what the annotation says.
    document = await services.intents.annotate(key, {annotation: value})
    services.cache.feed(Kind.RUN, document, False)
    target = f"run/{key.namespace}/{key.name}"
    caller.audit(word, target, reason=reason, before={"phase": item.status.phase}, after={annotation: value})
    change = RunChange(
        namespace=key.namespace,
        name=key.name,
        requested=word,
        step=None if word == "cancel" else value,
        phase=item.status.phase or RunPhase.PENDING,
        request_id=caller.request_id,
    )
    return json_answer(change, 202, {"Location": f"/api/recovery/runs/{key.namespace}/{key.name}"})


async def _find(services: Services, caller: Caller, scope: Scope, namespace: str, name: str) -> Run:
    await caller.need(scope, namespace)
    key = Key(Kind.RUN, namespace, name)
    item = services.cache.table.get(key)
    if item is None:
        try:
            item = parse(Kind.RUN, await services.objects.read_object(key))
        except NotFound:
            raise Problem(ProblemType.NOT_FOUND, f"there is no run {namespace}/{name}") from None
    if not isinstance(item, Run):
        raise TypeError(f"{key} is no run")
    return item


def _fits(item: Run, policy: str | None, phase: RunPhase | None) -> bool:
    if policy is not None and (item.spec is None or item.spec.policy_name != policy):
        return False
    return phase is None or (item.status.phase or RunPhase.PENDING) is phase
