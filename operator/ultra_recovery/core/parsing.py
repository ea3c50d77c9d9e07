"""Raw Kubernetes documents → frozen views. Pure; shared by the watch, the lists and the in-memory twins."""

from __future__ import annotations

import functools
import hashlib
import json
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ultra_recovery.apis.circuit_breaker import CircuitBreakerSpec, CircuitBreakerStatus
from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import Plan, RecoveryRunStatus
from ultra_recovery.core.objects import (
    EMPTY,
    AnyObject,
    Breaker,
    Endpoint,
    EndpointSlice,
    Key,
    Kind,
    Meta,
    Namespace,
    Owner,
    Pod,
    Policy,
    Run,
    Service,
    Terminated,
    Workload,
    encode_status,
)

Document = Mapping[str, Any]
_SERVICE_LABEL = "kubernetes.io/service-name"
_MAX_TERMINATION_MESSAGE = 4096
_LEAVES = frozenset({str, int, float, bool, type(None), datetime, timedelta})
_ModelT = TypeVar("_ModelT", bound=BaseModel)
_PLANS = weakref.WeakValueDictionary[str, Plan]()
"""By their text: the runs of a policy have one plan until its spec changes, and it is half of what each weighs."""


def without_managed_fields(document: Document) -> dict[str, Any]:
    """The document without who wrote which field: nobody reads that, and it is half of a breaker."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return {**document, "metadata": metadata}


def parse(kind: Kind, document: Document) -> AnyObject:
    """Turn a document of this kind into its view.

    A spec or status of our own kinds that cannot be read does not raise: the view then says what is wrong.
    """
    return _PARSERS[kind](kind, document)


def parse_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time; None stays None."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _meta(kind: Kind, document: Document) -> Meta:
    meta = document["metadata"]
    deleted_at = parse_time(meta.get("deletionTimestamp"))
    return Meta(
        key=Key(kind, meta.get("namespace", ""), meta["name"]),
        uid=meta.get("uid", ""),
        version=meta.get("resourceVersion", ""),
        generation=meta.get("generation", 0),
        created_at=parse_time(meta.get("creationTimestamp")),
        deleting=deleted_at is not None,
        labels=_frozen(meta.get("labels")),
        annotations=_frozen(meta.get("annotations")),
        deleted_at=deleted_at,
    )


def _frozen(mapping: Mapping[str, str] | None) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping)) if mapping else EMPTY


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"spec.{field}: {first['msg']}"


def _read(model: type[_ModelT], part: object) -> tuple[_ModelT | None, str]:
    try:
        found = model.model_validate(part or {})
    except ValidationError as error:
        return None, _explain(error)
    _share(found)
    return found, ""


@functools.lru_cache(maxsize=4096)
def _names(names: frozenset[str]) -> set[str]:
    return set(names)


def _share(value: object) -> None:
    """Let models that have the same fields set share the set that says so: it is a third of what they weigh.

    They are immutable, and so is what they share; a copy gets a set of its own.
    """
    if isinstance(value, list):
        parts: Iterable[object] = value
    elif isinstance(value, BaseModel):
        object.__setattr__(value, "__pydantic_fields_set__", _names(frozenset(value.__pydantic_fields_set__)))
        parts = value.__dict__.values()
    else:
        return
    for part in parts:
        if type(part) not in _LEAVES:
            _share(part)


def _read_status(model: type[_ModelT], document: Document) -> tuple[_ModelT, str]:
    """Read a status; one that cannot be read counts as never written, so that the operator writes it anew."""
    raw = document.get("status") or {}
    status, _ = _read(model, raw)
    return (status if status is not None else model()), encode_status(raw)


def _breaker(kind: Kind, document: Document) -> Breaker:
    spec, problem = _read(CircuitBreakerSpec, document.get("spec"))
    status, raw = _read_status(CircuitBreakerStatus, document)
    return Breaker(_meta(kind, document), spec, status, problem, raw)


def _policy(kind: Kind, document: Document) -> Policy:
    spec, problem = _read(RecoveryPolicySpec, document.get("spec"))
    status, raw = _read_status(RecoveryPolicyStatus, document)
    return Policy(_meta(kind, document), spec, status, problem, raw)


def _run(kind: Kind, document: Document) -> Run:
    spec, problem = _read(RecoveryRunSpec, document.get("spec"))
    status, raw = _read_status(RecoveryRunStatus, document)
    if status.plan is not None:
        text = encode_status(document["status"]["plan"])
        object.__setattr__(status, "plan", _PLANS.setdefault(text, status.plan))
    return Run(_meta(kind, document), spec, status, problem, raw)


def _workload(kind: Kind, document: Document) -> Workload:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    selector = spec.get("selector") or {}
    replicas = spec.get("replicas")
    # A StatefulSet that has finished a rollout reports updatedReplicas 0 on some versions once the revisions are equal.
    same_revision = kind is Kind.STATEFUL_SET and status.get("currentRevision") == status.get("updateRevision")
    total = status.get("replicas", 0)
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    progressing = conditions.get("Progressing") or {}
    return Workload(
        meta=_meta(kind, document),
        replicas=1 if replicas is None else replicas,
        selector=_frozen(selector.get("matchLabels")),
        has_expressions=bool(selector.get("matchExpressions")),
        observed_generation=status.get("observedGeneration", 0),
        updated=total if same_revision else status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        total=total,
        min_ready_seconds=spec.get("minReadySeconds", 0),
        stalled=progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded",
        template_digest=_digest(spec.get("template")),
    )


def _digest(template: object) -> str:
    """Equal templates have equal digests, whatever the order of their fields; no template has none."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16] if template else ""


def _pod(kind: Kind, document: Document) -> Pod:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    containers: Sequence[Document] = status.get("containerStatuses") or ()
    starts = [parse_time(((item.get("state") or {}).get("running") or {}).get("startedAt")) for item in containers]
    known = [start for start in starts if start is not None]
    initial: Sequence[Document] = status.get("initContainerStatuses") or ()
    owners = [item for item in document["metadata"].get("ownerReferences") or () if item.get("controller")]
    owner = Owner(owners[0]["kind"], owners[0]["name"], owners[0]["uid"]) if owners else None
    return Pod(
        meta=_meta(kind, document),
        phase=status.get("phase", "Pending"),
        ready=ready.get("status") == "True",
        ready_changed_at=parse_time(ready.get("lastTransitionTime")),
        started_at=parse_time(status.get("startTime")),
        containers_started_at=max(known) if known and len(known) == len(starts) else None,
        waiting=_waiting(containers) + _waiting(initial),
        owner=owner,
        ips=tuple(item["ip"] for item in status.get("podIPs") or () if item.get("ip")),
        host_network=bool(spec.get("hostNetwork")),
        terminated=tuple(_terminations([*containers, *initial], told=owner is not None and owner.kind == "Job")),
        restart_count=sum(item.get("restartCount", 0) for item in (*containers, *initial)),
        scheduled=bool(spec.get("nodeName")) or (conditions.get("PodScheduled") or {}).get("status") == "True",
    )


def _terminations(containers: Sequence[Document], *, told: bool) -> Iterator[Terminated]:
    """The ends that the statuses show; the containers' own messages only if they are to be `told`."""
    for item in containers:
        for place in ("state", "lastState"):
            end = (item.get(place) or {}).get("terminated")
            if end:
                yield Terminated(
                    container=item.get("name", ""),
                    reason=end.get("reason", ""),
                    exit_code=end.get("exitCode", 0),
                    finished_at=parse_time(end.get("finishedAt")),
                    message=(end.get("message") or "")[:_MAX_TERMINATION_MESSAGE] if told else "",
                )


def _waiting(containers: Sequence[Document]) -> tuple[str, ...]:
    reasons = (((item.get("state") or {}).get("waiting") or {}).get("reason") for item in containers)
    return tuple(reason for reason in reasons if reason)


def _service(kind: Kind, document: Document) -> Service:
    spec = document.get("spec") or {}
    return Service(
        meta=_meta(kind, document),
        ports=MappingProxyType({item["port"]: item.get("name") or "" for item in spec.get("ports") or ()}),
        external_name=spec.get("externalName", "") if spec.get("type") == "ExternalName" else "",
    )


def _namespace(kind: Kind, document: Document) -> Namespace:
    return Namespace(_meta(kind, document))


def _endpoint_slice(kind: Kind, document: Document) -> EndpointSlice:
    meta = _meta(kind, document)
    endpoints = []
    for item in document.get("endpoints") or ():
        reference = item.get("targetRef") or {}
        is_pod = reference.get("kind") == "Pod" and reference.get("namespace", meta.key.namespace) == meta.key.namespace
        # A missing "ready" means ready, by the API's own rule.
        ready = (item.get("conditions") or {}).get("ready")
        pod = reference.get("name", "") if is_pod else ""
        endpoints += [Endpoint(address, ready is not False, pod) for address in item.get("addresses") or ()]
    ports = {item.get("name") or "": item["port"] for item in document.get("ports") or () if item.get("port")}
    return EndpointSlice(meta, meta.labels.get(_SERVICE_LABEL, ""), MappingProxyType(ports), tuple(endpoints))


_PARSERS: dict[Kind, Callable[[Kind, Document], AnyObject]] = {
    Kind.BREAKER: _breaker,
    Kind.POLICY: _policy,
    Kind.RUN: _run,
    Kind.DEPLOYMENT: _workload,
    Kind.STATEFUL_SET: _workload,
    Kind.POD: _pod,
    Kind.SERVICE: _service,
    Kind.ENDPOINT_SLICE: _endpoint_slice,
    Kind.NAMESPACE: _namespace,
}
