"""From answers and failures of the client to our errors."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException

from ultra_recovery.adapters.kubernetes.errors import of_answer, translate
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


def status(**fields: Any) -> str:
    return json.dumps({"kind": "Status", "message": "why", **fields})


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (400, status(), Rejected),
        (401, status(), Forbidden),
        (403, status(), Forbidden),
        (404, status(), NotFound),
        (405, "", Rejected),
        (408, "", Unavailable),
        (409, status(reason="AlreadyExists"), AlreadyExists),
        (409, status(reason="Conflict"), Conflict),
        (409, "not JSON", Conflict),
        (410, status(reason="Expired"), Unavailable),
        (413, "", Rejected),
        (415, "", Rejected),
        (422, status(reason="Invalid"), Rejected),
        (429, "", TooManyRequests),
        (500, status(message="etcdserver: request timed out"), Unavailable),
        (500, status(message="This pod has more than one PodDisruptionBudget, which is not supported."), Rejected),
        (502, "<html>", Unavailable),
        (503, "", Unavailable),
        (504, "[]", Unavailable),
        (301, "", Unavailable),
        (0, "", Unavailable),
    ],
)
def test_every_answer_has_its_error(code: int, body: str, expected: type[ApiError]):
    assert type(of_answer(code, "phrase", body, {})) is expected


BUDGET = {"causes": [{"reason": "DisruptionBudget", "message": "needs 1 healthy pods"}]}


@pytest.mark.parametrize(
    ("headers", "details", "wait", "budget"),
    [
        pytest.param({"Retry-After": "10"}, None, 10.0, False, id="header"),
        pytest.param({}, {"retryAfterSeconds": 3}, 3.0, False, id="details"),
        pytest.param({"Retry-After": "1"}, {"retryAfterSeconds": 3}, 1.0, False, id="the header wins"),
        pytest.param({"Retry-After": "Mon, 05 Jan 2026 09:00:00 GMT"}, {}, None, False, id="a date is no number"),
        pytest.param({}, BUDGET, None, True, id="a budget without a time"),
        pytest.param({"Retry-After": "10"}, BUDGET, 10.0, True, id="a budget with a time"),
        pytest.param({}, {"causes": [{"reason": "Other"}]}, None, False, id="another cause"),
        pytest.param({}, {"causes": "none"}, None, False, id="causes that are no list"),
        pytest.param({}, "none", None, False, id="details that are no object"),
    ],
)
@pytest.mark.failure(
    of="API server",
    what="The API server is overloaded (429)",
    see="the step waits with `ApiUnavailable` for as long as `Retry-After` says, and goes on by itself",
    bound="as `Retry-After` says",
)
def test_too_many_requests_says_how_long_and_whether_a_budget_refused(
    headers: dict[str, str], details: Any, wait: float | None, budget: bool
):
    error = of_answer(429, "", status(details=details), headers)
    assert isinstance(error, TooManyRequests)
    assert (error.retry_after, error.budget) == (wait, budget)


def test_the_message_is_the_servers():
    assert str(of_answer(404, "Not Found", status(message='pods "a" not found'), {})) == '404 pods "a" not found'


def test_a_long_page_of_a_proxy_is_cut():
    assert len(str(of_answer(400, "", status(message="x" * 5000), {}))) == 512


@pytest.mark.parametrize(
    "raised",
    [TimeoutError(), aiohttp.ClientConnectionError("refused"), ConnectionResetError(), ValueError("no JSON")],
    ids=lambda error: type(error).__name__,
)
def test_no_usable_answer_leaves_open_whether_it_was_done(raised: Exception):
    with pytest.raises(Unavailable) as caught, translate():
        raise raised
    assert caught.value.__cause__ is raised


def test_an_exception_of_the_client_is_translated_by_its_status():
    with pytest.raises(NotFound), translate():
        raise ApiException(status=404, reason="Not Found")


def test_our_own_errors_pass():
    error = Conflict("as it is")
    with pytest.raises(Conflict) as caught, translate():
        raise error
    assert caught.value is error
