"""What probes and Jobs ask a PostgreSQL server alike, and the figures that are made of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ultra_recovery.apis.database import PoolFigures

# A role's own setting read_only says nothing of the server: careful people give it to the role that probes.
READ_ONLY = """(pg_is_in_recovery() OR (current_setting('transaction_read_only') = 'on' AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_settings
         WHERE name = 'default_transaction_read_only' AND source IN ('user', 'database user'))))"""
"""Whether the server takes no writes."""

SERVER_LIMIT = """(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - COALESCE(NULLIF(current_setting('reserved_connections', true), '')::int, 0))"""
"""Connections that ordinary users may have altogether."""

BLIND = "NOT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
"""Whether the role does not see what other sessions do."""

TIMES = """a.state, a.wait_event_type, clock_timestamp() - a.state_change AS still,
         clock_timestamp() - a.xact_start AS transaction, clock_timestamp() - a.query_start AS query"""
"""Columns of pg_stat_activity AS a that `ACTIVITY` goes by; beside them stands `ours`: whether a session counts."""

ACTIVITY = """count(*) FILTER (WHERE ours AND state LIKE 'idle in transaction%%') AS idle_in_transaction,
       extract(epoch FROM max(still) FILTER (WHERE ours AND state LIKE 'idle in transaction%%'))::float8 AS oldest_idle,
       extract(epoch FROM max(transaction) FILTER (WHERE ours))::float8 AS transaction,
       extract(epoch FROM max(query) FILTER (WHERE ours AND state = 'active'))::float8 AS query,
       count(*) FILTER (WHERE ours AND wait_event_type = 'Lock') AS blocked"""
"""What the sessions that count do."""


def figures_of(row: Mapping[str, Any], at: datetime, *, limit: int, used: int, free: int) -> PoolFigures:
    """The figures: `row` has the columns of `ACTIVITY`, and `blind`."""
    return PoolFigures(
        at=at,
        limit=max(limit, 0),
        used=used,
        free=free,
        idle_in_transaction=row["idle_in_transaction"],
        oldest_idle_seconds=_whole(row["oldest_idle"]),
        longest_transaction_seconds=_whole(row["transaction"]),
        longest_query_seconds=_whole(row["query"]),
        blocked=row["blocked"],
        blind=row["blind"],
    )


def _whole(value: float | None) -> int:
    return max(int(value or 0), 0)
