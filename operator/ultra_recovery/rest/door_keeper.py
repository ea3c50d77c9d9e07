"""The dependency of every route: who calls, and whether they have the scope that the route asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ultra_recovery.core.errors import ApiError
from ultra_recovery.rest.auth.identity import Scope
from ultra_recovery.rest.context import Caller, Services
from ultra_recovery.rest.problems import Problem, ProblemType, unavailable

bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token of the token file, or of the cluster.")


async def services_of(request: Request) -> Services:
    """The services of the process. Not a plain function: that would run in a thread of its own for each request."""
    found: Services = request.app.state.services
    return found


def require(*scopes: Scope) -> Callable[..., Awaitable[Caller]]:
    """A dependency that lets in whoever has one of the scopes somewhere; the first that they have is the caller's."""

    async def checked(
        request: Request,
        services: Annotated[Services, Depends(services_of)],
        _: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Caller:
        fresh = request.method != "GET"
        headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
        source = request.client.host if request.client is not None else ""
        identity = await services.door.identify(headers, source, fresh=fresh)
        request.state.who = identity.name
        places = services.cache.namespaces
        try:
            for scope in scopes:
                allowed = await identity.permitted(scope, places, fresh=fresh)
                # Somebody may have the scope where there is nothing of ours yet.
                if allowed or await identity.holds(scope, fresh=fresh):
                    return Caller(identity, scope, allowed, request.state.request_id, fresh)
        except ApiError as error:
            raise unavailable("the Kubernetes API, which knows what you may do, does not answer") from error
        wanted = " or ".join(scopes)
        raise Problem(ProblemType.FORBIDDEN, f"this needs the scope {wanted}, which {identity.name} does not have")

    return checked


TheServices = Annotated[Services, Depends(services_of)]
Reader = Annotated[Caller, Depends(require(Scope.READ))]
Resetter = Annotated[Caller, Depends(require(Scope.RESET))]
Triggerer = Annotated[Caller, Depends(require(Scope.TRIGGER, Scope.REPORT))]
Starter = Annotated[Caller, Depends(require(Scope.TRIGGER))]
Feeder = Annotated[Caller, Depends(require(Scope.REPORT))]
Approver = Annotated[Caller, Depends(require(Scope.APPROVE))]
