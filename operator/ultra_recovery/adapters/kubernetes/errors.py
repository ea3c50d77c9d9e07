"""From what the client raises to our errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config.config_exception import ConfigException

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

_MAX_MESSAGE = 512
"""Messages end in statuses and logs; a proxy's page must not."""
_TWO_BUDGETS = "more than one PodDisruptionBudget"
_NOT_A_VERDICT = (408, 410)
"""A slow request and an expired list: asking again can help."""


@contextmanager
def translate() -> Iterator[None]:
    """Run a request; what it raises becomes an `ApiError`.

    Raises:
        ApiError: the request failed.
    """
    try:
        yield
    except ApiException as error:
        raise of_answer(error.status or 0, error.reason or "", error.body or "", error.headers or {}) from error
    except TimeoutError as error:
        raise Unavailable("the API server did not answer in time") from error
    except (aiohttp.ClientError, OSError, ConfigException) as error:
        raise Unavailable(f"no connection to the API server: {_bounded(f'{type(error).__name__}: {error}')}") from error
    except ValueError as error:
        raise Unavailable(f"the API server's answer cannot be read: {error}") from error


def of_answer(code: int, phrase: str, body: str, headers: Mapping[str, str]) -> ApiError:
    """The error for an answer of the server.

    Args:
        code: the HTTP status, 0 when there was none.
        phrase: the HTTP reason phrase, used when the body is not a Status.
        body: the body, which is a Status unless a proxy answered.
        headers: the response's headers.
    """
    status = _status(body)
    message = _bounded(f"{code} {status.get('message') or phrase or 'no message'}")
    if code == 409:
        return AlreadyExists(message) if status.get("reason") == "AlreadyExists" else Conflict(message)
    if code == 429:
        return _too_many(message, status, headers)
    if code in (401, 403):
        return Forbidden(message)
    if code == 404:
        return NotFound(message)
    # Two budgets over one pod are answered with 500, but no repetition will ever change that.
    if code == 500 and _TWO_BUDGETS in message:
        return Rejected("two PodDisruptionBudgets cover this pod, so Kubernetes never evicts it: remove one")
    if 400 <= code < 500 and code not in _NOT_A_VERDICT:
        return Rejected(message)
    return Unavailable(message)


def _too_many(message: str, status: Mapping[str, Any], headers: Mapping[str, str]) -> TooManyRequests:
    details = status.get("details")
    if not isinstance(details, dict):
        details = {}
    wait = _seconds(headers.get("Retry-After"))
    if wait is None:
        wait = _seconds(details.get("retryAfterSeconds"))
    causes = details.get("causes")
    budget = isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "DisruptionBudget" for cause in causes
    )
    return TooManyRequests(message, retry_after=wait, budget=budget)


def _bounded(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"


def _seconds(value: object) -> float | None:
    # Retry-After may also be a date; the API server never sends one, and a proxy's may be ignored.
    text = str(value)
    return float(text) if text.isascii() and text.isdigit() else None


def _status(body: str) -> Mapping[str, Any]:
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}
