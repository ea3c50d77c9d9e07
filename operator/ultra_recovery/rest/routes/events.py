"""The stream of changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from ultra_recovery.rest.auth.identity import Scope
from ultra_recovery.rest.door_keeper import Reader, TheServices, require
from ultra_recovery.rest.events import Allowed
from ultra_recovery.rest.problems import Problem

router = APIRouter(prefix="/api/recovery", tags=["events"])
_again = require(Scope.READ)


@router.get(
    "/events",
    response_class=StreamingResponse,
    summary="Changes of breakers and runs, as server-sent events",
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "A stream."}},
)
async def events(
    request: Request,
    services: TheServices,
    caller: Reader,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
) -> StreamingResponse:
    """One event per change; `id` is the object's resourceVersion, a heartbeat comes at least every 15 seconds.

    With Last-Event-ID what came after it is sent again; `event: resync` says that something may have been missed.
    """

    async def renew() -> Allowed | None:
        try:
            again = await _again(request, services, None)
        except Problem:
            return None
        return again.namespaces.__contains__

    services.hub.check_room()
    stream = services.hub.stream(last_event_id, caller.namespaces.__contains__, renew)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
