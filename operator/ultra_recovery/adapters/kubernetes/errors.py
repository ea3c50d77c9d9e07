"""Answers and failures of the API server → our errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from ultra_recovery.core.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    TooManyRequests,
    Unavailable,
)

MAX_MESSAGE = 512
_TWO_BUDGETS = "more than one PodDisruptionBudget"
_BUDGET_CAUSE = "DisruptionBudget"

CONNECTION_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""What the client raises when there is no usable answer. A TLS error is among them."""


def from_connection(error: Exception, limit: float) -> Unavailable:
    """A request without an answer."""
    if isinstance(error, TimeoutError):
        return Unavailable(f"the API server did not answer within {limit:g} s")
    detail = str(error) or type(error).__name__
    return Unavailable(f"no answer from the API server: {_bounded(detail)}")


def from_answer(code: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """An answer that is not a success."""
    status = _status(body)
    message = _bounded(str(status.get("message") or f"the API server answered {code}"))
    if code == 409:
        return AlreadyExists(message) if status.get("reason") == "AlreadyExists" else Conflict(message)
    if code == 429:
        return TooManyRequests(message, retry_after=_retry_after(headers, status), budget=_is_budget(status))
    if code == 500 and _TWO_BUDGETS in message:
        # The API server answers 500 although it will never do otherwise: to repeat it cannot help.
        return Rejected("two PodDisruptionBudgets cover this pod, and Kubernetes then evicts it never: remove one")
    return _BY_CODE.get(code, Rejected if 400 <= code < 500 else Unavailable)(message)


_BY_CODE: dict[int, type[ApiError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    # The request timed out in the server, or what it referred to has expired: it may be repeated.
    408: Unavailable,
    410: Unavailable,
}


def _status(body: bytes) -> Mapping[str, Any]:
    """The Status object in an answer; a proxy in between may have sent anything else."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _details(status: Mapping[str, Any]) -> Mapping[str, Any]:
    details = status.get("details")
    return details if isinstance(details, dict) else {}


def _retry_after(headers: Mapping[str, str], status: Mapping[str, Any]) -> float | None:
    value = headers.get("Retry-After") or _details(status).get("retryAfterSeconds")
    try:
        seconds = float(value) if value is not None else 0.0
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < float("inf") else None


def _is_budget(status: Mapping[str, Any]) -> bool:
    causes = _details(status).get("causes")
    if not isinstance(causes, list):
        return False
    return any(isinstance(cause, dict) and cause.get("reason") == _BUDGET_CAUSE for cause in causes)


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
