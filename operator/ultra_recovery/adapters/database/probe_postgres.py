"""One look at a PostgreSQL server: a full login, and one query."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ultra_recovery.adapters.database.access import Access, Seen
from ultra_recovery.adapters.database.encryption import verified
from ultra_recovery.adapters.database.libpq import login
from ultra_recovery.adapters.database.postgres_figures import (
    ACTIVITY,
    BLIND,
    READ_ONLY,
    SERVER_LIMIT,
    TIMES,
    figures_of,
)
from ultra_recovery.ports import Clock

QUERY = f"""
WITH seen AS MATERIALIZED (
  SELECT a.datname = current_database() AND (%(app)s::text IS NULL OR a.usename = %(app)s::text) AS ours,
         a.datname = current_database() AS here, a.usename = %(app)s::text AS app, {TIMES}
  FROM pg_catalog.pg_stat_activity a
  WHERE a.pid <> pg_backend_pid()
    AND (a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.datid IS NOT NULL))
)
SELECT {READ_ONLY} AS read_only, {BLIND} AS blind, {SERVER_LIMIT} AS server_limit,
       (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = %(app)s::text) AS role_limit,
       (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()) AS database_limit,
       count(*) AS server_used, count(*) FILTER (WHERE app) AS role_used, count(*) FILTER (WHERE here) AS database_used,
       {ACTIVITY}
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
    limit, used = _tightest(row)
    return Seen(bool(row["read_only"]), figures_of(row, clock.now(), limit=limit, used=used, free=limit - used))


def _tightest(row: Mapping[str, Any]) -> tuple[int, int]:
    """The limit that the application will meet first, and how much of it is used."""
    limits = [(row["server_limit"], row["server_used"])]
    for name in ("role", "database"):
        limit = row[f"{name}_limit"]
        # -1 and, for a role that does not exist, nothing: no limit. -2: a database that is being dropped.
        if limit is not None and limit >= 0:
            limits.append((limit, row[f"{name}_used"]))
    return min(limits, key=lambda item: item[0] - item[1])
