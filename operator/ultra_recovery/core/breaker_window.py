"""The window: the last calls of a Closed breaker, and whether too many of them failed or were slow.

A call is a probe with an answer for or against the target: errors and neutral results are not calls. Rates are decided
by every call, at and above the threshold, and never before minimumCalls are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ultra_recovery.apis.breaker_rules import MAX_CALLS, WindowSpec
from ultra_recovery.apis.meta import format_duration
from ultra_recovery.core.probe import Outcome, ProbeResult


class Call(NamedTuple):
    """One call. Its duration is kept, not whether it was slow, so that a changed threshold judges old calls, too."""

    ended_at: datetime
    took: timedelta
    failed: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What is in the window.

    Attributes:
        decided: there are enough calls to go by their rates.
    """

    calls: int
    failed: int
    slow: int
    decided: bool


def record_call(calls: tuple[Call, ...], result: ProbeResult, window: WindowSpec | None) -> tuple[Call, ...]:
    """The window with one more call; bounded by its size, or its duration and MAX_CALLS."""
    if window is None:
        return ()
    if result.outcome not in (Outcome.SUCCESS, Outcome.FAILURE):
        return calls
    call = Call(result.finished_at, result.finished_at - result.started_at, result.outcome is Outcome.FAILURE)
    return kept((*calls, call), window, result.finished_at)


def kept(calls: tuple[Call, ...], window: WindowSpec, now: datetime) -> tuple[Call, ...]:
    """The calls that still count."""
    if window.count is not None:
        return calls[-window.count.size :]
    if window.time is not None:
        oldest = now - window.time.duration
        return tuple(call for call in calls[-MAX_CALLS:] if call.ended_at > oldest)
    return ()


def figures(calls: tuple[Call, ...], window: WindowSpec | None, now: datetime) -> Figures:
    """The figures of the window at this moment."""
    if window is None:
        return Figures(0, 0, 0, decided=False)
    judged = kept(calls, window, now)
    limit = window.slow_call.duration if window.slow_call is not None else None
    return Figures(
        calls=len(judged),
        failed=sum(call.failed for call in judged),
        slow=sum(call.took > limit for call in judged) if limit is not None else 0,
        decided=len(judged) >= _minimum_calls(window),
    )


def _minimum_calls(window: WindowSpec) -> int:
    """More calls than a count window holds are never asked for: it would never decide."""
    return min(window.minimum_calls, window.count.size) if window.count is not None else window.minimum_calls


def failure_rate_reached(found: Figures, window: WindowSpec | None) -> bool:
    """Whether enough calls failed, and there are enough calls."""
    return window is not None and found.decided and found.failed * 100 >= window.failure_rate_percent * found.calls


def slow_call_rate_reached(found: Figures, window: WindowSpec | None) -> bool:
    """Whether enough calls were slow, and there are enough calls."""
    slow = window.slow_call if window is not None else None
    return slow is not None and found.decided and found.slow * 100 >= slow.rate_percent * found.calls


def explain(found: Figures, window: WindowSpec, *, slow: bool) -> str:
    """The rate that was reached, with its figures."""
    if slow and window.slow_call is not None:
        count, limit = found.slow, window.slow_call.rate_percent
        what = f"took longer than {format_duration(window.slow_call.duration)}"
    else:
        count, limit, what = found.failed, window.failure_rate_percent, "failed"
    percent = count * 100 // found.calls if found.calls else 0
    return f"{count} of the last {found.calls} calls {what}: {percent} %, the limit is {limit} %"
