"""Paths of the API server."""

from __future__ import annotations

from urllib.parse import quote

from ultra_recovery.core.objects import Kind

_PLURALS = {
    Kind.BREAKER: "circuitbreakers",
    Kind.POLICY: "recoverypolicies",
    Kind.RUN: "recoveryruns",
    Kind.DEPLOYMENT: "deployments",
    Kind.STATEFUL_SET: "statefulsets",
    Kind.POD: "pods",
    Kind.SERVICE: "services",
    Kind.ENDPOINT_SLICE: "endpointslices",
    Kind.NAMESPACE: "namespaces",
}


def path_of(kind: Kind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Path of a kind we read: of all its objects, of those in a namespace, of one, or of a part of one."""
    return path(kind.api_version, _PLURALS[kind], namespace, name, subresource)


def path(api_version: str, plural: str = "", namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Path of any resource. Names are quoted: what comes from an object never leaves its segment."""
    parts = ["apis" if "/" in api_version else "api", *api_version.split("/")]
    if namespace:
        parts += ["namespaces", namespace]
    parts += [part for part in (plural, name, subresource) if part]
    return "/" + "/".join(quote(part, safe="") for part in parts)
