"""The cluster's side: namespaces with Services whose pods are our targets, and breakers on them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from e2e.kube import Kube
from ultra_recovery.adapters.kubernetes.connection import MERGE_PATCH, Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.core.errors import AlreadyExists
from ultra_recovery.core.objects import Kind

SPACES = 10
APPS = 10
"""Services in each namespace, each on a port of its own."""
PORTS = SPACES * APPS
_AT_ONCE = 64
_LABEL = "ultra-recovery-bench"
_WRITES = re.compile(r'^apiserver_request_total\{[^}]*group="recovery\.ultra\.dev"[^}]*\} ([0-9.e+]+)$', re.MULTILINE)


def spaces() -> list[str]:
    return [f"bench-fleet-{number}" for number in range(SPACES)]


async def build(connection: Connection, address: str, first_port: int, *, secure: bool = False) -> None:
    """Namespaces, Services, endpoints and pods that say they are at the targets' address. No kubelet runs them."""
    for number, space in enumerate(spaces()):
        await _create(connection, path("v1", "namespaces"), _document("v1", "Namespace", space, "", {}))
        # A pod is refused until its namespace has one, and the controller that makes it takes its time.
        account = _document("v1", "ServiceAccount", "default", space, {})
        await _create(connection, path("v1", "serviceaccounts", space), account)
        for app in range(APPS):
            port = first_port + number * APPS + app
            for document in _app(space, f"app-{app}", address, port, secure=secure):
                await _create(connection, _collection(document), document)
            status = {"status": _pod_status(address)}
            where = path("v1", "pods", space, f"app-{app}", "status")
            await connection.request("PATCH", where, body=status, content_type=MERGE_PATCH)


async def make_breakers(connection: Connection, count: int, *, secure: bool = False, **spec: Any) -> None:
    """So many breakers, spread over all Services; their paths tell them apart at the targets."""
    documents = [_breaker(number, secure=secure, **spec) for number in range(count)]
    await _all(lambda item: _create(connection, _collection(item), item), documents)


def fleet_documents(
    count: int, address: str, first_port: int, *, secure: bool
) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """All of it as documents, for an API server in memory."""
    for number, space in enumerate(spaces()):
        for app in range(APPS):
            service, pod, slice_ = _app(space, f"app-{app}", address, first_port + number * APPS + app, secure=secure)
            yield Kind.SERVICE, service
            yield Kind.POD, {**pod, "status": _pod_status(address)}
            yield Kind.ENDPOINT_SLICE, slice_
    for number in range(count):
        yield Kind.BREAKER, _breaker(number, secure=secure)


def paths(count: int, first_port: int) -> list[str]:
    """Port and path of each target."""
    return [f"{first_port + number % PORTS}/{number}" for number in range(count)]


def remove() -> None:
    """Everything that was made, and wait until it is gone."""
    Kube("default").run("delete", "namespace", "-l", f"{_LABEL}=true", "--wait=true", "--timeout=110s", check=False)


def writes() -> int:
    """Requests that changed one of our objects, as the API server counts them."""
    text = Kube("default").run("get", "--raw", "/metrics")
    lines = [line for line in text.splitlines() if re.search(r'verb="(PATCH|PUT|POST|DELETE|APPLY)"', line)]
    return int(sum(float(count) for count in _WRITES.findall("\n".join(lines))))


async def _create(connection: Connection, where: str, document: dict[str, Any]) -> None:
    try:
        await connection.request("POST", where, body=document)
    except AlreadyExists:
        return


async def _all(work: Callable[[dict[str, Any]], Awaitable[None]], items: Iterable[dict[str, Any]]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: dict[str, Any]) -> None:
        async with gate:
            await work(item)

    await asyncio.gather(*(one(item) for item in items))


def _collection(document: dict[str, Any]) -> str:
    plurals = {
        "EndpointSlice": "endpointslices",
        "Service": "services",
        "Pod": "pods",
        "CircuitBreaker": "circuitbreakers",
    }
    return path(document["apiVersion"], plurals[document["kind"]], document["metadata"]["namespace"])


def _document(version: str, kind: str, name: str, namespace: str, rest: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {_LABEL: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _app(space: str, name: str, address: str, port: int, *, secure: bool) -> list[dict[str, Any]]:
    service_port = 443 if secure else 80
    container = {"name": "app", "image": "localhost/none", "imagePullPolicy": "Never"}
    endpoint = {
        "addresses": [address],
        "conditions": {"ready": True},
        "targetRef": {"kind": "Pod", "name": name, "namespace": space},
    }
    slice_ = _document(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        name,
        space,
        {
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            "endpoints": [endpoint],
        },
    )
    slice_["metadata"]["labels"]["kubernetes.io/service-name"] = name
    return [
        # No selector: the endpoints are ours. No scheduler of this name: the pod stays where it is.
        _document("v1", "Service", name, space, {"spec": {"ports": [{"name": "http", "port": service_port}]}}),
        _document("v1", "Pod", name, space, {"spec": {"schedulerName": "nobody", "containers": [container]}}),
        slice_,
    ]


def _pod_status(address: str) -> dict[str, Any]:
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }


def _breaker(number: int, *, secure: bool, **fields: Any) -> dict[str, Any]:
    app = number % PORTS
    http = {
        "serviceRef": {"name": f"app-{app % APPS}", "port": 443 if secure else 80},
        "path": f"/{number}",
        "scheme": "HTTPS" if secure else "HTTP",
    }
    spec = {"target": {"http": http}, "probe": {"interval": "30s"}, **fields}
    return _document(API_VERSION, "CircuitBreaker", f"target-{number}", spaces()[app // APPS], {"spec": spec})
