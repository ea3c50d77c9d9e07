"""The description of the API, OpenAPI 3.1: what FastAPI finds, with our problems in place of its own errors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ultra_recovery.rest.problems import MEDIA_TYPE, ProblemType

_OPEN = frozenset({"/livez", "/readyz"})
_ALWAYS = (400, 408, 431, 503)
_DOCUMENT: dict[str, Any] = {
    "title": "Problem",
    "description": "An error as RFC 9457 has it. `detail` says what to do next; further members depend on the type.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "description": "Stable; see the page of problems."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "Names the request, as log and audit lines do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description; the same types always give the same text."""
    found: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _DOCUMENT
    for path, item in found["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation)
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the problems that an operation can answer."""
    responses = operation["responses"]
    responses.pop("422", None)
    codes = set(_ALWAYS)
    if path not in _OPEN:
        codes |= {401, 403, 429}
    if path.startswith("/api/"):
        codes.add(422)
    if "{" in path or method == "post" or path.endswith("circuit-breaker/status"):
        codes |= {404, 409}
    if method == "post":
        codes |= {413}
    if method == "get" and path.startswith("/api/") and not path.endswith("/events"):
        responses["304"] = {"description": "The caller has this very answer."}
    for code in sorted(codes):
        responses.setdefault(str(code), _problem(code))
    for code in responses:
        headers = responses[code].setdefault("headers", {})
        headers["X-Request-Id"] = {"description": "Names the request.", "schema": {"type": "string"}}
        if code in ("429", "503") and path not in _OPEN:
            headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "string"}}
    operation["responses"] = dict(sorted(responses.items()))


def _problem(code: int) -> dict[str, Any]:
    titles = sorted(kind.value.title for kind in ProblemType if kind.value.status == code)
    return {
        "description": "; ".join(titles),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
