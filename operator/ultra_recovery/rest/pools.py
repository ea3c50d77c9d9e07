"""The connections of a database as the API shows them."""

from __future__ import annotations

from ultra_recovery.apis.meta import format_time
from ultra_recovery.core.objects import Breaker
from ultra_recovery.rest.overviews import PoolFigures
from ultra_recovery.rest.render import service_name


def pool_view(item: Breaker) -> PoolFigures | None:
    """The figures in a breaker's status; None where there are none. What the probe could not see is null."""
    pool = item.status.pool
    if pool is None:
        return None
    known, seen, pooler = bool(pool.limit), not pool.blind, pool.pooler
    return PoolFigures(
        service_name=service_name(item),
        size=pool.limit if known else None,
        used=pool.used if known else None,
        free=pool.free if known else None,
        idle_in_transaction=pool.idle_in_transaction if seen else None,
        longest_transaction_seconds=pool.longest_transaction_seconds if seen else None,
        longest_query_seconds=pool.longest_query_seconds if seen else None,
        blocked=pool.blocked if seen else None,
        waiting=pool.waiting if pooler is not None else None,
        pooler_replicas=pooler.replicas if pooler is not None else None,
        pooler_unreachable=pooler.unreachable if pooler is not None else None,
        at=format_time(pool.at),
    )
