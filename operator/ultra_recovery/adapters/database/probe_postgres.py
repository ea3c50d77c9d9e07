"""One look at a PostgreSQL server: a full login, and one query."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ultra_recovery.adapters.database.access import Access, Seen
from ultra_recovery.adapters.database.encryption import verified
from ultra_recovery.adapters.database.libpq import login
from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.ports import Clock

# A role's own setting read_only says nothing of the server: careful people give it to the role that probes.
QUERY = """
WITH seen AS MATERIALIZED (
  SELECT a.datname = current_database() AND (%(app)s::text IS NULL OR a.usename = %(app)s::text) AS ours,
         a.datname = current_database() AS here, a.usename = %(app)s::text AS app,
         a.state, a.wait_event_type, clock_timestamp() - a.state_change AS still,
         clock_timestamp() - a.xact_start AS transaction, clock_timestamp() - a.query_start AS query
  FROM pg_catalog.pg_stat_activity a
  WHERE a.pid <> pg_backend_pid()
    AND (a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.datid IS NOT NULL))
)
SELECT pg_is_in_recovery() OR (current_setting('transaction_read_only') = 'on' AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_settings
         WHERE name = 'default_transaction_read_only' AND source IN ('user', 'database user'))) AS read_only,
       NOT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS blind,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - COALESCE(NULLIF(current_setting('reserved_connections', true), '')::int, 0) AS server_limit,
       (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = %(app)s::text) AS role_limit,
       (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_limit,
       count(*) AS server_used, count(*) FILTER (WHERE app) AS role_used, count(*) FILTER (WHERE here) AS database_used,
       count(*) FILTER (WHERE ours AND state LIKE 'idle in transaction%%') AS idle_in_transaction,
       extract(epoch FROM max(still) FILTER (WHERE ours AND state LIKE 'idle in transaction%%'))::float8 AS oldest_idle,
       extract(epoch FROM max(transaction) FILTER (WHERE ours))::float8 AS transaction,
       extract(epoch FROM max(query) FILTER (WHERE ours AND state = 'active'))::float8 AS query,
       count(*) FILTER (WHERE ours AND wait_event_type = 'Lock') AS blocked
FROM seen
"""


async def look_at_postgres(access: Access, within: float, clock: Clock) -> Seen:
    """Log in, ask and leave; the whole of it has `within` seconds.

    Raises:
        ServerFault: the server said no, or cannot be reached.
        TimeoutError: it did not answer in time. Nothing is left open, not even towards a frozen server.
        SpecError: the certificate to check it by cannot be read.
    """
    if access.tls.mode == "VerifyFull":
        verified(access.authority or "")
    async with asyncio.timeout(within), login(access) as connection:
        cursor = await connection.execute(QUERY, {"app": access.app_user})
        row = await cursor.fetchone() or {}
    return Seen(bool(row["read_only"]), _figures(row, clock))


def _figures(row: Mapping[str, Any], clock: Clock) -> PoolFigures:
    limit, used = _tightest(row)
    return PoolFigures(
        at=clock.now(),
        limit=max(limit, 0),
        used=used,
        free=limit - used,
        idle_in_transaction=row["idle_in_transaction"],
        oldest_idle_seconds=_seconds(row["oldest_idle"]),
        longest_transaction_seconds=_seconds(row["transaction"]),
        longest_query_seconds=_seconds(row["query"]),
        blocked=row["blocked"],
        blind=row["blind"],
    )


def _tightest(row: Mapping[str, Any]) -> tuple[int, int]:
    """The limit that the application will meet first, and how much of it is used."""
    limits = [(row["server_limit"], row["server_used"])]
    for name in ("role", "database"):
        limit = row[f"{name}_limit"]
        # -1 and, for a role that does not exist, nothing: no limit. -2: a database that is being dropped.
        if limit is not None and limit >= 0:
            limits.append((limit, row[f"{name}_used"]))
    return min(limits, key=lambda item: item[0] - item[1])


def _seconds(value: float | None) -> int:
    return max(int(value or 0), 0)
