"""What the newest probe of a database says to a databasePool trigger, and what a row of probes says. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.trigger import DatabasePoolTrigger
from ultra_recovery.core.probe import Outcome, ProbeResult

_FULL = "the server has no connection left"


@dataclass(frozen=True, slots=True)
class PoolLook:
    """What one probe says.

    Attributes:
        bad: a condition of the trigger holds; None: that is not known.
        failed: the probe failed in a way that says nothing of the connections.
    """

    bad: bool | None
    message: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class PoolHistory:
    """What is remembered for one databasePool trigger. A restart of the operator may forget it, never invent it.

    Attributes:
        look: what the newest probe says.
        seen_at: when that probe ended; None while there is none.
        bad_since: end of the first probe of the current row of bad ones.
        good_since: begin of the first probe of the current row of good ones.
    """

    look: PoolLook
    seen_at: datetime | None = None
    bad_since: datetime | None = None
    good_since: datetime | None = None

    def held(self, hold: timedelta) -> bool:
        """Whether fresh probes say for so long that a condition holds: the passing of time alone proves nothing."""
        return self.bad_since is not None and self.seen_at is not None and self.seen_at - self.bad_since >= hold


def observe_pool(history: PoolHistory | None, spec: DatabasePoolTrigger, last: ProbeResult | None) -> PoolHistory:
    """Add the newest probe to what is remembered; the same one twice changes nothing.

    A probe that says nothing ends both rows: what was in between is not known.
    """
    if last is None:
        return PoolHistory(PoolLook(None, "the database has not been probed yet"))
    if history is not None and history.seen_at == last.finished_at:
        return history
    look = look_at_pool(spec, last)
    bad_since = (history.bad_since if history else None) or last.finished_at
    good_since = (history.good_since if history else None) or last.started_at
    return PoolHistory(
        look, last.finished_at, bad_since if look.bad else None, good_since if look.bad is False else None
    )


def look_at_pool(spec: DatabasePoolTrigger, last: ProbeResult) -> PoolLook:
    """Judge one probe.

    One condition that holds is enough. No data never counts as good or bad; only a server that refused the probe for
    lack of connections is exhausted whatever else is known.
    """
    full = last.outcome is Outcome.FAILURE and last.reason is Reason.EXHAUSTED
    told = last.figures is not None and last.outcome in (Outcome.SUCCESS, Outcome.FAILURE)
    readable = last.outcome is Outcome.SUCCESS or last.reason in (Reason.EXHAUSTED, Reason.WRONG_NODE)
    if last.outcome is Outcome.FAILURE and not readable:
        return PoolLook(None, f"the probe failed: {last.message}", failed=True)
    if not told and not full:
        return PoolLook(None, f"no figures: {last.message}")
    verdicts = list(_verdicts(spec, last.figures, full=full))
    bad = [words for holds, words in verdicts if holds]
    if bad:
        return PoolLook(True, ", ".join(bad))
    unknown = [words for holds, words in verdicts if holds is None]
    if unknown:
        return PoolLook(None, ", ".join(dict.fromkeys(unknown)), failed=last.outcome is Outcome.FAILURE)
    return PoolLook(False, ", ".join(words for _, words in verdicts))


_Verdict = tuple[bool | None, str]
"""Whether a condition holds, None: not known; and the figures that say so."""


def _verdicts(spec: DatabasePoolTrigger, figures: PoolFigures | None, *, full: bool) -> Iterator[_Verdict]:
    seen = figures if figures is not None and not figures.blind else None
    if spec.free_below is not None:
        if full:
            yield True, _FULL
        else:
            yield _compare(seen, seen and seen.free < spec.free_below, f"{seen.free if seen else 0} connections left")
    if spec.waiting_clients is not None:
        yield _waiting(figures, spec.waiting_clients)
    if spec.idle_in_transaction is not None:
        idle = seen.oldest_idle_seconds if seen is not None and seen.idle_in_transaction else 0
        words = f"{seen.idle_in_transaction if seen else 0} sessions idle in transaction, the longest for {idle} s"
        yield _compare(seen, idle > spec.idle_in_transaction.total_seconds(), words)
    if spec.long_query is not None:
        runs = seen.longest_query_seconds if seen is not None else 0
        yield _compare(seen, runs > spec.long_query.total_seconds(), f"the longest statement runs for {runs} s")
    if spec.blocked_sessions is not None:
        blocked = seen.blocked if seen is not None else 0
        yield _compare(seen, blocked >= spec.blocked_sessions, f"{blocked} sessions wait for a lock")


def _compare(seen: PoolFigures | None, holds: object, words: str) -> _Verdict:
    return (bool(holds), words) if seen is not None else (None, "the probing role may not see other sessions")


def _waiting(figures: PoolFigures | None, threshold: int) -> _Verdict:
    pooler = figures.pooler if figures is not None else None
    if pooler is None or not pooler.replicas:
        return None, "no replica of the pooler answers, or the breaker names none"
    words = f"{pooler.waiting} clients wait in the pooler, {pooler.idle} of its connections are free"
    return pooler.waiting >= threshold and not pooler.idle, words
