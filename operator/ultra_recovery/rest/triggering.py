"""From a trigger call to runs: one per policy that knows the error, and never two for one key."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ultra_recovery.apis.meta import API_VERSION, IDEMPOTENCY_ANNOTATION, POLICY_LABEL
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.apis.trigger import Trigger
from ultra_recovery.core.errors import AlreadyExists, Conflict
from ultra_recovery.core.naming import label_value, requested_run_name
from ultra_recovery.core.objects import Key, Kind, Policy, Run
from ultra_recovery.core.parsing import parse
from ultra_recovery.rest.answers import StartedRun, TriggerAnswer
from ultra_recovery.rest.auth.identity import Scope
from ultra_recovery.rest.bodies import TriggerBody
from ultra_recovery.rest.context import Caller, Services
from ultra_recovery.rest.idempotency import Mark, carries, mark_of, with_mark
from ultra_recovery.rest.lookup import find_policies
from ultra_recovery.rest.problems import Problem, ProblemType

_MAX_REQUESTED_BY = 253


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to be like.

    Attributes:
        steps: names of the steps to take; none: all.
    """

    error_type: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    dry_run: bool = False
    force: bool = False
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, after it was checked."""

    wish: Wish
    caller: Caller
    cause: Cause
    mark: Mark | None
    request: str
    """What the names of the runs are made from."""


async def trigger_runs(services: Services, caller: Caller, body: TriggerBody, key: str | None) -> TriggerAnswer:
    """Start or join one run per policy.

    Raises:
        Problem: no policy fits, a right is missing, or the key belongs to another request.
        ApiError: the API server refused a write, or did not answer: some runs may have been created.
    """
    cause = Cause.MANUAL if caller.scope is Scope.TRIGGER else Cause.REPORTED
    if body.force and cause is Cause.REPORTED:
        raise Problem(ProblemType.FORBIDDEN, "force needs the scopes trigger and force")
    mark = mark_of(caller.name, key, "trigger", body.model_dump(mode="json")) if key is not None else None
    with services.keys.hold(mark):
        if mark is not None:
            for item in services.cache.runs():
                carries(item.meta, mark)
        policies = _concerned(await find_policies(services.cache, caller, body.service_name), body)
        if body.force:
            await caller.need(Scope.FORCE, policies[0].meta.key.namespace)
        request = mark.key if mark is not None else uuid.uuid4().hex
        wish = Wish(body.error_type, body.context, body.reason, body.dry_run, body.force)
        order = Order(wish, caller, cause, mark, request)
        runs = [await start_or_join(services, order, policy) for policy in policies]
    return TriggerAnswer(error_type=body.error_type, cause=cause, runs=runs, request_id=caller.request_id)


def knowing(policy: Policy, body: TriggerBody) -> list[Trigger]:
    """The triggers of a policy that know the error."""
    triggers = policy.spec.triggers if policy.spec is not None else []
    return [
        trigger
        for trigger in triggers
        if trigger.error_reported is not None and trigger.error_reported.knows(body.error_type, body.context)
    ]


def _concerned(policies: Sequence[Policy], body: TriggerBody) -> list[Policy]:
    found = [policy for policy in policies if knowing(policy, body)]
    if found:
        return found
    known = sorted(
        {
            kind
            for policy in policies
            for trigger in (policy.spec.triggers if policy.spec is not None else [])
            if trigger.error_reported is not None
            for kind in trigger.error_reported.error_types
        }
    )
    names = ", ".join(sorted(policy.meta.key.name for policy in policies))
    hint = f"known are {', '.join(known)}" if known else "none is known: add a trigger errorReported to the policy"
    with_context = " with this context" if body.error_type in known else ""
    detail = f"no errorReported trigger of policy {names} knows {body.error_type}{with_context}; {hint}"
    raise Problem(ProblemType.NO_TRIGGER, detail, knownErrorTypes=known)


async def start_or_join(services: Services, order: Order, policy: Policy) -> StartedRun:
    """The run of one policy: one that was answered before, one that is at work, or a new one.

    Raises:
        ApiError: the API server refused a write, or did not answer.
    """
    namespace, name = policy.meta.key.namespace, policy.meta.key.name
    of_policy = [item for item in services.cache.runs(namespace) if item.spec and item.spec.policy_name == name]
    if order.mark is not None:
        earlier = next((item for item in of_policy if carries(item.meta, order.mark)), None)
        if earlier is not None:
            return _started(earlier.meta.key, name, "this request was answered before", replayed=True)
    if order.cause is Cause.MANUAL:
        active = next((item for item in of_policy if _joinable(item, order.wish)), None)
        if active is not None and await _join(services, order, active):
            return _started(active.meta.key, name, f"the policy has run {active.meta.key.name} already", joined=True)
    return await _create(services, order, policy)


def _joinable(item: Run, wish: Wish) -> bool:
    return not item.completed and item.spec is not None and item.spec.dry_run == wish.dry_run


async def _join(services: Services, order: Order, active: Run) -> bool:
    """Join a run; with a key, the run must remember it. False when the run changed meanwhile: it may have ended."""
    if order.mark is not None:
        value = {IDEMPOTENCY_ANNOTATION: with_mark(active.meta, order.mark)}
        try:
            document = await services.intents.annotate(active.meta.key, value, active.meta.version)
        except Conflict:
            return False
        services.cache.feed(Kind.RUN, document, False)
    order.caller.audit("trigger", _target(active.meta.key), reason=order.wish.reason, result="joined")
    return True


async def _create(services: Services, order: Order, policy: Policy) -> StartedRun:
    name, namespace = policy.meta.key.name, policy.meta.key.namespace
    document = run_document(order, policy)
    run = document["metadata"]["name"]
    key = Key(Kind.RUN, namespace, run)
    try:
        stored = await services.objects.create_run(namespace, document)
    except AlreadyExists:
        item = parse(Kind.RUN, await services.objects.read_object(key))
        if not isinstance(item, Run) or order.mark is None or not carries(item.meta, order.mark):
            raise
        return _started(key, name, "this request was answered before", replayed=True)
    services.cache.feed(Kind.RUN, stored, False)
    order.caller.audit("trigger", _target(key), reason=order.wish.reason, after={"spec": document["spec"]})
    return _started(key, name, _outlook(services, policy))


def run_document(order: Order, policy: Policy) -> dict[str, Any]:
    """The run as it is created: its name is made from the request and the policy."""
    wish, caller = order.wish, order.caller
    meta: dict[str, Any] = {
        "name": requested_run_name(policy.meta.key.name, order.request),
        "namespace": policy.meta.key.namespace,
        "labels": {POLICY_LABEL: label_value(policy.meta.key.name)},
    }
    if order.mark is not None:
        meta["annotations"] = {IDEMPOTENCY_ANNOTATION: str(order.mark)}
    spec = {
        "policyName": policy.meta.key.name,
        "cause": str(order.cause),
        "requestedBy": caller.name[:_MAX_REQUESTED_BY],
        "requestId": caller.request_id,
        **({"errorType": wish.error_type} if wish.error_type else {}),
        **({"steps": list(wish.steps)} if wish.steps else {}),
        **({"reason": wish.reason} if wish.reason else {}),
        **({"context": dict(wish.context)} if wish.context else {}),
        **({"dryRun": True} if wish.dry_run else {}),
        **({"force": True} if wish.force else {}),
    }
    return {"apiVersion": API_VERSION, "kind": str(Kind.RUN), "metadata": meta, "spec": spec}


def _outlook(services: Services, policy: Policy) -> str:
    """What will become of a run that was just created."""
    if policy.spec is None:
        return "the policy cannot be enforced, so the run will be cancelled"
    target = policy.spec.target_ref
    for other in services.cache.policies():
        same = other.meta.key.namespace == policy.meta.key.namespace and other.meta.key != policy.meta.key
        if not same or other.spec is None or other.spec.target_ref != target:
            continue
        holder = _active_run(services, other)
        if holder is not None:
            return f"run {holder} of policy {other.meta.key.name} holds the target: this one waits"
    return "created: the operator starts it"


def _active_run(services: Services, policy: Policy) -> str | None:
    for key in services.cache.active:
        run = services.cache.table.get(key) if key.namespace == policy.meta.key.namespace else None
        if isinstance(run, Run) and run.spec is not None and run.spec.policy_name == policy.meta.key.name:
            return key.name
    return None


def _target(key: Key) -> str:
    return f"run/{key.namespace}/{key.name}"


def _started(key: Key, policy: str, message: str, *, joined: bool = False, replayed: bool = False) -> StartedRun:
    return StartedRun(
        namespace=key.namespace,
        name=key.name,
        policy=policy,
        location=f"/api/recovery/runs/{key.namespace}/{key.name}",
        joined=joined,
        replayed=replayed,
        message=message,
    )
