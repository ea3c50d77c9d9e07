"""The gate in front of the application: bounds on what arrives, a request id, and one place that counts answers.

Bodies are read here, whole and in time, so that no handler ever waits for a slow client, and are taken for JSON
whatever Content-Type they carry: callers are scripts, and curl's default is a form.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from ultra_recovery.ports import Clock, RestMeter
from ultra_recovery.rest.context import request_id
from ultra_recovery.rest.problems import MEDIA_TYPE, Problem, ProblemType

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

MAX_BODY = 64 * 1024
MAX_HEADER = 8 * 1024
MAX_HEADERS = 16 * 1024
MAX_HEADER_COUNT = 64
MAX_DEPTH = 20
ARRIVE_WITHIN = 10.0
"""Seconds for a whole request to arrive."""
ANSWER_WITHIN = 20.0
"""Seconds for an answer, except for streams."""
STREAMS = frozenset({"/api/recovery/events"})
_SINGLE = frozenset(
    {b"authorization", b"idempotency-key", b"content-length", b"host", b"last-event-id", b"x-request-id"}
)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_SAFETY = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Gate:
    """Wraps an ASGI application. Whatever comes in, an answer goes out: a problem where nothing else can."""

    def __init__(self, application: Application, clock: Clock, meter: RestMeter) -> None:
        self._application, self._clock, self._meter = application, clock, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one connection event of the server."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        identity = _request_id(scope["headers"])
        scope.setdefault("state", {})["request_id"] = identity
        token = request_id.set(identity)
        started = self._clock.boottime()
        answer = _Answer(send, identity)
        try:
            await self._answer(scope, receive, answer)
        finally:
            request_id.reset(token)
            route = getattr(scope.get("route"), "path", "unmatched")
            self._meter.count_request(route, _known(scope["method"]), answer.status, self._clock.boottime() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            _check_headers(scope["headers"])
            body = await _read_body(receive)
            if scope["method"] == "POST" and body:
                _check_json(body)
                scope["headers"] = _as_json(scope["headers"])
            inner = _replay(body, receive)
            if scope["path"] in STREAMS:
                await self._application(scope, inner, answer)
            else:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await self._application(scope, inner, answer)
        except Problem as problem:
            await answer.problem(problem)
        except TimeoutError:
            await answer.problem(
                Problem(ProblemType.UNAVAILABLE, "no answer could be made in time", headers={"Retry-After": "5"})
            )
        except Exception:
            # The last resort: no error of ours may end a connection without a word.
            log.exception("a request failed", extra={"path": scope["path"], "request_id": answer.request_id})
            await answer.problem(Problem(ProblemType.INTERNAL, "something went wrong here; the log has the request id"))


class _Answer:
    """Passes an answer on, with the headers that all answers have."""

    def __init__(self, send: Send, identity: str) -> None:
        self._send, self.request_id = send, identity
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {name for name, _ in message.get("headers", ())}
            extra = [(b"x-request-id", self.request_id.encode()), *_SAFETY]
            message["headers"] = [*message.get("headers", ()), *(pair for pair in extra if pair[0] not in present)]
        await self._send(message)

    async def problem(self, problem: Problem) -> None:
        """Answer a problem, if nothing has been answered yet."""
        if self.status:
            return
        body = json.dumps(problem.document(self.request_id)).encode()
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        if problem.kind in (ProblemType.TOO_LARGE, ProblemType.TOO_SLOW):
            # What is still under way will not be read.
            headers.append((b"connection", b"close"))
        await self({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _request_id(headers: Headers) -> str:
    """The caller's own, where it is plain and single; else a fresh one."""
    given = [value for name, value in headers if name == b"x-request-id"]
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0].decode("ascii")
    return uuid.uuid4().hex


def _known(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"


def _check_headers(headers: Headers) -> None:
    sizes = [len(name) + len(value) for name, value in headers]
    if max(sizes, default=0) > MAX_HEADER or sum(sizes) > MAX_HEADERS or len(sizes) > MAX_HEADER_COUNT:
        raise Problem(ProblemType.HEADERS_TOO_LARGE, "send fewer or shorter headers: 8 KiB each, 16 KiB and 64 in all")
    names = [name for name, _ in headers if name in _SINGLE]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise Problem(ProblemType.MALFORMED, f"the header {doubled.decode()} may be sent once")
    length = next((value for name, value in headers if name == b"content-length"), b"0")
    if not length.isdigit():
        raise Problem(ProblemType.MALFORMED, "the header content-length is not a number")
    if len(length) > 9 or int(length) > MAX_BODY:
        raise Problem(ProblemType.TOO_LARGE, f"the body is larger than {MAX_BODY} bytes")


async def _read_body(receive: Receive) -> bytes:
    """The whole body.

    Raises:
        Problem: it is too large, or does not come in time.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(ARRIVE_WITHIN):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(ProblemType.TOO_SLOW, "the connection was closed before the request was complete")
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise Problem(ProblemType.TOO_LARGE, f"the body is larger than {MAX_BODY} bytes")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        detail = f"the request was not complete within {ARRIVE_WITHIN:.0f} seconds"
        raise Problem(ProblemType.TOO_SLOW, detail) from None


def _check_json(body: bytes) -> None:
    """Refuse what is no JSON object, before anything deep is parsed."""
    depth = 0
    for found in _BRACKETS.finditer(body):
        mark = found.group()
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if depth > MAX_DEPTH:
            raise Problem(ProblemType.MALFORMED, f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        document = json.loads(body, parse_constant=_no_constant, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise Problem(ProblemType.MALFORMED, "the body is no JSON in UTF-8, or has a key twice") from None
    # null is a body that is left out.
    if document is not None and not isinstance(document, dict):
        raise Problem(ProblemType.INVALID_REQUEST, "the body must be a JSON object, such as {}", errors=[])


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _as_json(headers: Headers) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers if name != b"content-type"]
    return [*kept, (b"content-type", b"application/json")]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand out the body that was read; after it only the end of the connection comes."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
