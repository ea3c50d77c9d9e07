"""One observation of a dependency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.apis.reasons import Reason


class Outcome(StrEnum):
    """What a probe can tell.

    SUCCESS: the target answered as it should. FAILURE: it said no, or not in time. ERROR: the probe could not be
    made, so nothing is known. NEUTRAL: the target asked for fewer requests.
    """

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Outcome of one probe.

    Attributes:
        outcome: see Outcome.
        reason: why; for an error the reason of the Stalled condition if `permanent`.
        message: a sentence without any byte of the target's answer.
        started_at: when the probe was sent.
        finished_at: when its outcome was known.
        figures: connections of a database, as far as they could be seen; also with a failure.
        permanent: an error that only a change of some object can mend (missing Service, forbidden address).
    """

    outcome: Outcome
    reason: Reason
    message: str
    started_at: datetime
    finished_at: datetime
    permanent: bool = False
    figures: PoolFigures | None = None
