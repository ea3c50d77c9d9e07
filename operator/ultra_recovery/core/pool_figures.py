"""The connections of a database over time: what is kept of them, written, and shown as metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ultra_recovery.apis.database import PoolerFigures, PoolFigures

WRITE_INTERVAL = timedelta(seconds=30)
"""Figures in a status are at least so old before others take their place."""
_SHARE = 10
"""A tenth of the limit is much."""
_FEW = 3
"""Fewer connections than this are never much."""
_SHORT = 10
"""Seconds below which all durations are alike."""


def keep(known: PoolFigures | None, fresh: PoolFigures | None) -> PoolFigures | None:
    """The figures that are kept when a probe brought fresh ones, or none.

    Those of a server that said nothing are what it said last, with what its pooler says now.
    """
    if fresh is None or known is None:
        return fresh or known
    if fresh.blind and not fresh.limit and known.limit:
        return known.model_copy(update={"pooler": fresh.pooler, "waiting": fresh.waiting})
    return fresh


def to_write(fresh: PoolFigures | None, written: PoolFigures | None) -> PoolFigures | None:
    """The figures for the status: those that are there, unless much has changed and they are old enough."""
    if fresh is None or written is None:
        return fresh
    if fresh.at - written.at < WRITE_INTERVAL or not _differs(fresh, written):
        return written
    return fresh


def _differs(fresh: PoolFigures, written: PoolFigures) -> bool:
    """Whether something changed much: another server or pooler, many connections, or a duration that doubled."""
    much = max(_FEW, fresh.limit // _SHARE)
    return (
        _shape(fresh) != _shape(written)
        or any(abs(a - b) >= much for a, b in zip(_counts(fresh), _counts(written), strict=True))
        or any(_doubled(a, b) for a, b in zip(_durations(fresh), _durations(written), strict=True))
    )


def _shape(pool: PoolFigures) -> tuple[object, ...]:
    own = pool.pooler
    parts = (own.replicas, own.unreachable, own.pool_size, own.login_retry_seconds, own.paused) if own else None
    return pool.limit, pool.blind, pool.free <= 0, parts


def _counts(pool: PoolFigures) -> tuple[int, ...]:
    own = pool.pooler or PoolerFigures()
    return pool.used, pool.free, pool.idle_in_transaction, pool.waiting, pool.blocked, own.active, own.idle


def _durations(pool: PoolFigures) -> tuple[int, ...]:
    own = pool.pooler or PoolerFigures()
    return (
        pool.oldest_idle_seconds,
        pool.longest_transaction_seconds,
        pool.longest_query_seconds,
        own.longest_wait_seconds,
    )


def _doubled(fresh: int, written: int) -> bool:
    low, high = sorted((max(fresh, _SHORT), max(written, _SHORT)))
    return high >= 2 * low


def essence(figures: PoolFigures | None) -> tuple[object, ...] | None:
    """What triggers are judged by: all but the time."""
    return (_shape(figures), _counts(figures), _durations(figures)) if figures is not None else None


def gauges_of(figures: PoolFigures | None) -> Mapping[str, float]:
    """The figures as numbers for metrics; what is not known is not there."""
    if figures is None:
        return {}
    waiting = {"pool_waiting": float(figures.waiting)} if figures.pooler is not None else {}
    if figures.blind and not figures.limit:
        return waiting
    known = {**waiting, "pool_limit": figures.limit, "pool_used": figures.used, "pool_free": figures.free}
    if not figures.blind:
        known |= {
            "pool_idle_in_transaction": figures.idle_in_transaction,
            "pool_blocked": figures.blocked,
            "pool_longest_transaction": figures.longest_transaction_seconds,
            "pool_longest_query": figures.longest_query_seconds,
        }
    return {name: float(value) for name, value in known.items()}
