"""Health of the process, its metrics, and its own description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from ultra_recovery.rest.door_keeper import Reader, TheServices

Render = Callable[[], tuple[bytes, str]]


def ops_router(render_metrics: Render) -> APIRouter:
    """The routes; only the two for the kubelet need no token.

    Args:
        render_metrics: gives the body of /metrics and its content type.
    """
    router = APIRouter(tags=["operations"])
    text: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "As text."}
    plain: dict[int | str, dict[str, Any]] = {200: text}

    @router.get("/livez", summary="Whether the process lives", response_class=PlainTextResponse, responses=plain)
    async def livez() -> PlainTextResponse:
        """Depends on nothing else."""
        return PlainTextResponse("ok\n")

    @router.get(
        "/readyz",
        summary="Whether the first lists are done",
        response_class=PlainTextResponse,
        responses={**plain, 503: {**text, "description": "Not yet."}},
    )
    async def readyz(services: TheServices) -> PlainTextResponse:
        """Stays ready while the Kubernetes API is away: reads go on from the cache."""
        ready = services.cache.synced.is_set()
        lines = [f"[{'+' if ready else '-'}]synced: first list done", f"stale: {str(services.cache.stale).lower()}"]
        return PlainTextResponse("\n".join([*lines, "ok" if ready else "not ok"]) + "\n", 200 if ready else 503)

    @router.get("/metrics", summary="Counters of this process", response_class=PlainTextResponse, responses=plain)
    async def metrics(caller: Reader) -> Response:
        """In the text format of Prometheus."""
        del caller
        body, content_type = render_metrics()
        return Response(body, media_type=content_type)

    @router.get(
        "/openapi.json",
        summary="This description",
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "OpenAPI."}},
    )
    async def description(request: Request, caller: Reader) -> dict[str, object]:
        """OpenAPI 3.1."""
        del caller
        found: dict[str, object] = request.app.openapi()
        return found

    return router
