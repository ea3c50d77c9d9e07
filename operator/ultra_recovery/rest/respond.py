"""How answers are sent: JSON made by us, entity tags, pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Query, Request, Response

from ultra_recovery.rest.answers import Answer, as_json
from ultra_recovery.rest.cache import Order
from ultra_recovery.rest.problems import MEDIA_TYPE, Problem

JSON = "application/json"
DEFAULT_PAGE = 100
MAX_PAGE = 500

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many items a page holds at most.")]
Continue = Annotated[
    str | None,
    Query(
        alias="continue",
        max_length=340,
        pattern=r"^[0-9]{1,18}~[a-z0-9-]{1,63}~[a-z0-9.-]{1,253}$",
        description="The member `continue` of the page before.",
    ),
]


def json_answer(answer: Answer, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer."""
    return Response(as_json(answer), status, dict(headers or {}), JSON)


def tagged(request: Request, body: bytes) -> Response:
    """A read, with its entity tag; 304 when the caller has this very answer."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    # A cache may keep it, but has to ask each time.
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    known = request.headers.get("if-none-match", "")
    if known == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}:
        return Response(None, 304, headers)
    return Response(body, 200, headers, JSON)


def page(freshness: Mapping[str, object], items: Sequence[bytes], total: int, next_page: str | None) -> bytes:
    """A page, put together from items that are JSON already."""
    head = json.dumps({**freshness, "total": total, "continue": next_page}, separators=(",", ":")).encode()
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}"


def joined(freshness: Mapping[str, object], rest: bytes) -> bytes:
    """Freshness, and members that are JSON already: an object without its first brace."""
    return json.dumps(dict(freshness), separators=(",", ":")).encode()[:-1] + b"," + rest


def encode_place(order: Order) -> str:
    """The place of the last item of a page, as callers send it back."""
    first, namespace, name = order
    return f"{round(-first * 1_000_000)}~{namespace}~{name}"


def decode_place(text: str | None) -> Order | None:
    """The place that a caller sends; the pattern of the parameter has seen to its form."""
    if text is None:
        return None
    first, namespace, name = text.split("~")
    return (-int(first) / 1_000_000, namespace, name)


def problem_answer(problem: Problem, request_id: str) -> Response:
    """A problem document."""
    body: dict[str, Any] = problem.document(request_id)
    return Response(json.dumps(body).encode(), problem.status, problem.headers, MEDIA_TYPE)
