"""Every error that the API answers: a stable type, a status, and a sentence. The page of problems is made from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ultra_recovery.core.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    TooManyRequests,
)

MEDIA_TYPE = "application/problem+json"
URN = "urn:ultra-recovery:problem:"
RETRY_SECONDS = 5
"""Retry-After where nothing better is known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem: `meaning` says when it is answered and what to do."""

    slug: str
    status: int
    title: str
    meaning: str


class ProblemType(Enum):
    """All types. A released slug keeps its meaning."""

    INVALID_REQUEST = Kind(
        "invalid-request",
        422,
        "The request does not fit the schema",
        "A field is unknown, missing, or of the wrong type; `errors` names each. Correct them and send again.",
    )
    MALFORMED = Kind(
        "malformed-request",
        400,
        "The request cannot be read",
        "The body is no JSON object, is nested deeper than 20 levels, or a header is unusable or doubled.",
    )
    TOO_LARGE = Kind("request-too-large", 413, "The body is too large", "A body holds at most 64 KiB. Send less.")
    HEADERS_TOO_LARGE = Kind(
        "headers-too-large",
        431,
        "The headers are too large",
        "One header holds at most 8 KiB, all of them 16 KiB, and there are at most 64.",
    )
    TOO_SLOW = Kind(
        "request-too-slow", 408, "The request did not arrive in time", "A whole request must arrive within 10 seconds."
    )
    UNAUTHENTICATED = Kind(
        "unauthenticated",
        401,
        "Nobody is known by this token",
        "Send `Authorization: Bearer <token>` with a token that is configured, and not expired.",
    )
    FORBIDDEN = Kind(
        "forbidden",
        403,
        "This is not allowed to you",
        "The token lacks the scope, or the scope in this namespace. `detail` names both.",
    )
    UNKNOWN_PATH = Kind("unknown-path", 404, "There is no such path", "The paths are those of `/openapi.json`.")
    METHOD = Kind(
        "method-not-allowed", 405, "The path has no such method", "The header `Allow` names the methods of the path."
    )
    NOT_FOUND = Kind(
        "not-found",
        404,
        "There is no such object",
        "Nothing of this name exists where you may look; `detail` names what is near.",
    )
    NO_TRIGGER = Kind(
        "no-trigger",
        404,
        "No policy knows this error",
        "No `errorReported` trigger of the service's policies names the error type; `knownErrorTypes` lists those "
        "that are known.",
    )
    AMBIGUOUS = Kind(
        "ambiguous-name",
        409,
        "Several objects have this name",
        "Say `namespace/name`; `candidates` lists the possible ones.",
    )
    OVERRIDE = Kind(
        "override-active",
        409,
        "An override is in force",
        "A breaker with an override is not reset. Remove `spec.override`, or wait until it ends.",
    )
    NOT_WATCHED = Kind(
        "not-enforced-yet",
        409,
        "The operator has not seen this object yet",
        "A breaker that the operator sees for the first time adopts its annotation without a reset. Try again in a "
        "few seconds; if that lasts, see whether the operator runs.",
    )
    NOT_EXTERNAL = Kind(
        "not-external",
        409,
        "This breaker is not fed by reports",
        "Only breakers with `spec.target.external` take reports and hand out trials; others are probed.",
    )
    TOO_MANY_REPORTERS = Kind(
        "too-many-reporters",
        409,
        "The breaker has too many reporters",
        "A breaker has at most 64 entries in `status.reporters`. Let callers share a token.",
    )
    WRONG_PHASE = Kind(
        "wrong-phase",
        409,
        "The run is not in a phase for that",
        "Only a run that awaits approval is approved or rejected; a completed run is not cancelled.",
    )
    IN_FLIGHT = Kind(
        "idempotency-key-in-flight",
        409,
        "A request with this key is being answered",
        "Wait for the first answer, or send the same request again a little later.",
    )
    KEY_REUSED = Kind(
        "idempotency-key-reused",
        422,
        "The key was used for another request",
        "An Idempotency-Key belongs to one request. Use a new key for a new request.",
    )
    CONFLICT = Kind(
        "conflict", 409, "The object changed meanwhile", "Somebody else changed the object. Read it and try again."
    )
    NO_ACTION = Kind(
        "action-missing",
        422,
        "The action does not exist yet",
        "This version, or no policy in scope, has an action of this kind; `missing` names it. Nothing was done.",
    )
    REJECTED = Kind(
        "rejected-by-cluster",
        422,
        "The API server refused the object",
        "What was asked for does not fit the cluster's schema or policies; `detail` holds its words.",
    )
    RATE_LIMITED = Kind(
        "too-many-requests",
        429,
        "Too many requests",
        "Too many failed attempts, or too many streams. Wait for `Retry-After` seconds.",
    )
    NOT_PERMITTED = Kind(
        "operator-not-permitted",
        503,
        "The cluster does not allow this to the API",
        "The API's service account lacks a right; its role in the installation is incomplete.",
    )
    UNAVAILABLE = Kind(
        "cluster-unavailable",
        503,
        "The Kubernetes API does not answer",
        "Nothing is known to have been done. Send the same request again, best with an Idempotency-Key, after "
        "`Retry-After` seconds.",
    )
    INTERNAL = Kind(
        "internal-error", 500, "An error of our own", "This is a defect. Its log lines carry the request id."
    )


class Problem(Exception):  # noqa: N818 - the field's own name for it (RFC 9457)
    """Ends a request with a problem document.

    Args:
        kind: the type.
        detail: a sentence that says what is wrong and what to do next.
        headers: headers of the answer.
        members: further members of the document.
    """

    def __init__(
        self, kind: ProblemType, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail
        self.headers = dict(headers or {})
        self.members = members

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.kind.value.status

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem as RFC 9457 has it."""
        kind = self.kind.value
        return {
            "type": f"{URN}{kind.slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "instance": f"urn:ultra-recovery:request:{request_id}",
            **self.members,
        }


def of_api_error(error: ApiError) -> Problem:
    """What an error of the API server means to our caller."""
    if isinstance(error, TooManyRequests):
        wait = max(1, round(error.retry_after or RETRY_SECONDS))
        return unavailable("the Kubernetes API asks to come back later", wait)
    for kind, problem in _API_ERRORS:
        if isinstance(error, kind):
            return Problem(problem, _WORDS.get(problem) or str(error))
    return unavailable("the Kubernetes API does not answer; what was asked for may or may not have been done")


def unavailable(detail: str, seconds: int = RETRY_SECONDS) -> Problem:
    """The cluster cannot be reached."""
    return Problem(ProblemType.UNAVAILABLE, detail, headers={"Retry-After": str(seconds)})


_API_ERRORS: Sequence[tuple[type[ApiError], ProblemType]] = (
    (NotFound, ProblemType.NOT_FOUND),
    (AlreadyExists, ProblemType.CONFLICT),
    (Conflict, ProblemType.CONFLICT),
    (Forbidden, ProblemType.NOT_PERMITTED),
    (Rejected, ProblemType.REJECTED),
)
_WORDS = {
    ProblemType.NOT_FOUND: "the object was deleted meanwhile",
    ProblemType.CONFLICT: "the object changed meanwhile: read it and try again",
    ProblemType.NOT_PERMITTED: "the API's own service account lacks the right to do this; see its role",
}
