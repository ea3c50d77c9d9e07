"""Our errors. Adapters translate what their libraries raise into these, at their edge.

UltraError
├── ApiError                    the API server answered, or could not be reached
│   ├── NotFound                404
│   ├── AlreadyExists           409 on create
│   ├── Conflict                409: our resourceVersion or UID precondition no longer holds
│   ├── Forbidden               401, 403
│   ├── TooManyRequests         429: a disruption budget, or flow control; carries retry_after
│   ├── Rejected                400, 422: the request itself is wrong; repeating it cannot help
│   └── Unavailable             5xx, timeout, no connection: unknown whether it was applied
├── IllegalTransition           a state machine was given an event it has no row for
├── NotLeader                   this process must not act now
└── SpecError                   an object's spec cannot be used; carries the reason
"""

from __future__ import annotations

from ultra_recovery.apis.reasons import Reason


class UltraError(Exception):
    """Base of all errors that this project raises on purpose."""


class ApiError(UltraError):
    """The API server refused a request or did not answer it."""


class NotFound(ApiError):  # noqa: N818 - the field's own name for it
    """The object does not exist."""


class AlreadyExists(ApiError):  # noqa: N818 - as above
    """An object of this name exists."""


class Conflict(ApiError):  # noqa: N818 - as above
    """The object changed since it was read, or another object has its name."""


class Forbidden(ApiError):  # noqa: N818 - as above
    """The API server does not allow this to our service account."""


class TooManyRequests(ApiError):  # noqa: N818 - as above
    """The API server asks to come back later.

    Attributes:
        retry_after: seconds to wait, as the server says, or None.
        budget: True when a PodDisruptionBudget refused an eviction.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, budget: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.budget = budget


class Rejected(ApiError):  # noqa: N818 - as above
    """The request is wrong in itself; repeating it cannot help."""


class Unavailable(ApiError):  # noqa: N818 - as above
    """No answer, or an error of the server: unknown whether the request was applied."""


class IllegalTransition(UltraError):  # noqa: N818 - as above
    """A state machine has no row for this event in its state; nothing was changed."""


class NotLeader(UltraError):  # noqa: N818 - as above
    """This process is not the leader, or cannot prove that it still is."""


class SpecError(UltraError):
    """A spec cannot be used as it is.

    Attributes:
        reason: the reason for the Stalled condition.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
