"""The application: routes, and what becomes of errors."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ultra_recovery import __version__
from ultra_recovery.core.errors import ApiError
from ultra_recovery.rest.context import Services
from ultra_recovery.rest.limits import Application, Gate
from ultra_recovery.rest.openapi import describe
from ultra_recovery.rest.problems import Problem, ProblemType, of_api_error
from ultra_recovery.rest.respond import problem_answer
from ultra_recovery.rest.routes import circuit_breaker, events, overview, runs, trigger
from ultra_recovery.rest.routes.ops import Render, ops_router

log = logging.getLogger(__name__)
audit_log = logging.getLogger("ultra_recovery.audit")

_MAX_ERRORS = 20
_MAX_FIELD = 200
_DESCRIPTION = (
    "Reads the cluster's circuit breakers, policies and runs from a cache, and writes intents that the operator acts "
    "on. Times are RFC 3339 in UTC. Reads carry `stale: true` and an age while the Kubernetes API is away."
)


class Api(FastAPI):
    """FastAPI with our description."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema


def build_api(render_metrics: Render) -> Api:
    """The routes without services: enough to be described."""
    app = Api(
        title="Ultra Recovery API",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    for module in (circuit_breaker, trigger, runs, overview, events):
        app.include_router(module.router)
    app.include_router(ops_router(render_metrics))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


def build_application(services: Services, render_metrics: Render) -> Application:
    """The whole application, behind its gate."""
    app = build_api(render_metrics)
    app.state.services = services
    return Gate(app, services.clock, services.meter)


async def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    _tell(request, error)
    return problem_answer(error, request.state.request_id)


async def _api_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    log.warning("the API server refused", extra={"error": str(error), "request_id": request.state.request_id})
    return await _problem(request, of_api_error(error))


async def _invalid(request: Request, error: Exception) -> Response:
    """Name each field that is wrong, and never repeat what was sent."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [
        {"field": ".".join(str(part) for part in item["loc"])[:_MAX_FIELD], "message": str(item["msg"])}
        for item in error.errors()[:_MAX_ERRORS]
    ]
    first = f"{errors[0]['field']}: {errors[0]['message']}" if errors else "the request does not fit the schema"
    return await _problem(request, Problem(ProblemType.INVALID_REQUEST, first, errors=errors))


async def _http(request: Request, error: Exception) -> Response:
    """What the router refuses."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == 405:
        return await _problem(
            request, Problem(ProblemType.METHOD, "the header Allow names the methods", headers=headers)
        )
    if error.status_code == 404:
        return await _problem(request, Problem(ProblemType.UNKNOWN_PATH, "see /openapi.json for the paths there are"))
    return await _problem(request, Problem(ProblemType.MALFORMED, "the request cannot be read", headers=headers))


def _tell(request: Request, problem: Problem) -> None:
    """A refused mutation by somebody who is known is worth an audit line, too."""
    who = getattr(request.state, "who", None)
    if request.method == "POST" and who is not None:
        fields = {
            "who": who,
            "action": request.url.path,
            "result": "refused",
            "why": problem.kind.value.slug,
            "request_id": request.state.request_id,
        }
        audit_log.info("audit", extra=fields)
