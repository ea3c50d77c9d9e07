"""What is done to the operator and its connection, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Blow(StrEnum):
    """What happens at one mutating request."""

    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    CONFLICT = "409"
    TOO_MANY = "429"
    SERVER_ERROR = "500"
    DROP_REPLY = "reply lost"
    DELAY = "delay 2s"
    LATE = "arrives late"


class WatchFault(StrEnum):
    """What is done to the watches, from the start of the experiment or from a request on."""

    FREEZE = "watch frozen"
    CUT = "watch cut"
    GONE = "watch 410"
    HIDE_DELETED = "deletions hidden"
    DUPLICATE = "events twice"
    STALE_LIST = "old lists"


KILLS = (Blow.KILL_BEFORE, Blow.KILL_AFTER)
SLOW = (Blow.DELAY, Blow.LATE)
REFUSALS = (Blow.CONFLICT, Blow.TOO_MANY, Blow.SERVER_ERROR)
RETRY_AFTER = 2
"""Seconds in the Retry-After of an injected 429."""
DELAY = 2.0
LATE = 5.5
"""Seconds before a request is passed on. The operator gives up after 4 s, so LATE takes effect after it gave up."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong in one experiment.

    Attributes:
        blow: what happens at the mutating request number `index`.
        index: number of that request, from 1; 0 for watch faults that begin with the trouble itself.
        watch: what is done to the watches, from that moment on.
    """

    blow: Blow | None = None
    index: int = 0
    watch: WatchFault | None = None

    def __str__(self) -> str:
        what = " and ".join(str(part) for part in (self.blow, self.watch) if part) or "no fault"
        return f"{what} #{self.index}" if self.index else what


NO_FAULT = Fault()
