"""Notices: what happened, told after it was persisted. Sinks turn them into Events, metrics and log lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.objects import Key


class Topic(StrEnum):
    """What a notice is about."""

    BREAKER_TRANSITION = "breaker_transition"
    BREAKER_PROBE = "breaker_probe"
    BREAKER_NOTE = "breaker_note"
    ENFORCEMENT = "enforcement"
    DECISION = "decision"
    INCIDENT = "incident"
    RUN = "run"
    WAIT = "wait"
    STEP = "step"
    EFFECT = "effect"
    NOTIFICATION = "notification"
    LEADERSHIP = "leadership"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened.

    Attributes:
        key: the object it happened to; the Event is posted on it.
        uid: its UID, "" for the process itself.
        warning: whether the Event is of type Warning.
        event: whether it is worth an Event; metrics and logs get all.
        labels: bounded labels for metrics and fields of the log line (never pod names as metric labels).
        values: numbers for metrics, such as durations in seconds.
    """

    topic: Topic
    key: Key
    uid: str
    reason: Reason
    message: str
    warning: bool = False
    event: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
