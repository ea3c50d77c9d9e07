"""A reset: an annotation that the operator handles once."""

from __future__ import annotations

from ultra_recovery.apis.meta import RESET_ANNOTATION, format_time
from ultra_recovery.core.objects import Breaker
from ultra_recovery.core.override import wanted_override
from ultra_recovery.rest.answers import ResetAnswer
from ultra_recovery.rest.bodies import ResetBody
from ultra_recovery.rest.context import Caller, Services
from ultra_recovery.rest.idempotency import Mark, mark_of, reused
from ultra_recovery.rest.problems import Problem, ProblemType
from ultra_recovery.rest.render import service_name


async def reset_breaker(
    services: Services, caller: Caller, item: Breaker, body: ResetBody, key: str | None
) -> ResetAnswer:
    """Annotate a breaker. With a key that was used before for the same, nothing is written.

    Raises:
        Problem: the breaker cannot be reset now, or the key belongs to another request.
        ApiError: the API server refused the write, or did not answer.
    """
    mark = mark_of(caller.name, key, "reset", {"service_name": service_name(item)}) if key is not None else None
    with services.keys.hold(mark):
        known = _earlier(services, item, mark) if mark is not None else None
        if known is not None:
            return _answer(item, known, caller, replayed=True)
        _check(services, item)
        value = f"{format_time(services.clock.now())}/{_suffix(mark, caller.request_id)}"
        document = await services.intents.annotate(item.meta.key, {RESET_ANNOTATION: value})
        services.cache.feed(item.meta.key.kind, document, False)
        after = {"annotation": value}
        before = {"state": item.status.state, "consecutive_failures": item.status.consecutive_failures}
        caller.audit("reset", f"circuit-breaker/{service_name(item)}", reason=body.reason, before=before, after=after)
        return _answer(item, value, caller, replayed=False)


def _suffix(mark: Mark | None, request_id: str) -> str:
    """What makes the value this request's own, lets it be found again by its key, and names it in the Event."""
    return f"{mark.key}.{mark.body}.{request_id}" if mark is not None else f"request.{request_id}"


def _check(services: Services, item: Breaker) -> None:
    """Refuse what the operator would refuse, or not notice."""
    now = services.clock.now()
    override = wanted_override(item.spec.override, now) if item.spec is not None else None
    if override is not None:
        raise Problem(ProblemType.OVERRIDE, f"not reset: {override.sentence}; remove it, or wait until it ends")
    if not item.visited:
        detail = f"the operator has not seen {service_name(item)} yet: try again in a few seconds"
        raise Problem(ProblemType.NOT_WATCHED, detail, headers={"Retry-After": "5"})


def _values(item: Breaker) -> list[str]:
    """The values of the annotation that are still known, the latest first."""
    latest = item.meta.annotations.get(RESET_ANNOTATION)
    return [*([latest] if latest else []), *reversed(item.status.handled_resets or ())]


def _earlier(services: Services, item: Breaker, mark: Mark) -> str | None:
    """The value that an earlier request of this key wrote.

    Raises:
        Problem: that request was about another breaker.
    """
    for other in services.cache.breakers():
        for value in _values(other):
            key, _, rest = value.partition("/")[2].partition(".")
            if key == mark.key:
                if rest.partition(".")[0] != mark.body or other.meta.key != item.meta.key:
                    raise reused()
                return value
    return None


def _answer(item: Breaker, value: str, caller: Caller, *, replayed: bool) -> ResetAnswer:
    return ResetAnswer(
        service_name=service_name(item),
        state_before=item.status.state,
        reset_requested=value,
        handled=value in (item.status.handled_resets or ()),
        replayed=replayed,
        request_id=caller.request_id,
    )
