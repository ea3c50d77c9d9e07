"""Requests that the operator makes on a user's behalf, and messages to people. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ultra_recovery.apis.endpoint import HttpEndpoint


class CallOutcome(StrEnum):
    """What is known of a call.

    DONE: the endpoint answered that it did it. REFUSED: it certainly did not do it, or said that it failed. UNKNOWN:
    the request may have reached it, and no answer came.
    """

    DONE = "Done"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request.

    Attributes:
        within: seconds for name resolution, connection and answer together. The request itself is sent within 4 s or
            not at all: our right to act may have run out by then.
    """

    endpoint: HttpEndpoint
    method: str
    body: bytes
    within: float
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallResult:
    """What came of a call.

    Attributes:
        message: a sentence without any byte of the answer.
        retry: whether asking again may help (for notifications).
    """

    outcome: CallOutcome
    message: str
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A notification for a webhook.

    Attributes:
        key: dedupe key; the same key is delivered at least once and, within the life of a process, at most once.
        data: the CloudEvents `data`, JSON values only, no secret and no byte of anybody's answer.
        topic: what it is about: the last part of the CloudEvents `type`.
    """

    key: str
    namespace: str
    endpoint: HttpEndpoint
    subject: str
    data: Mapping[str, object]
    topic: str = "notification"


class Delivery(StrEnum):
    """Where a message stands."""

    WAITING = "Waiting"
    DELIVERED = "Delivered"
    FAILED = "Failed"
