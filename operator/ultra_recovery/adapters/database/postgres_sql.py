"""What Jobs ask a PostgreSQL server. The statements that signal check everything again, in the statement itself."""

from __future__ import annotations

from ultra_recovery.adapters.database.postgres_figures import ACTIVITY, BLIND, READ_ONLY, SERVER_LIMIT, TIMES

WRITABLE = f"SELECT NOT {READ_ONLY} AS writable"

SETTINGS = "SELECT set_config('statement_timeout', '4500', false), set_config('lock_timeout', '2000', false)"

WRITE = """
INSERT INTO recovery.heartbeat AS h (id, at) VALUES (1, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET at = excluded.at
"""

MISSING = """
SELECT r.rolsuper OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees,
       r.rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS signals,
       EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = 'recovery' AND p.proname = 'signal_sessions'
                 AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')) AS installed
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""

FIGURES = f"""
WITH seen AS MATERIALIZED (
  SELECT a.datname = %(database)s::text AND (%(user)s::text = '' OR a.usename = %(user)s::text) AS ours, {TIMES}
  FROM pg_catalog.pg_stat_activity a
  WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend')
SELECT count(*) AS used, {BLIND} AS blind,
       {ACTIVITY}
FROM seen
"""

LIMITS = f"""
WITH seen AS MATERIALIZED (
  SELECT a.datname, a.usename FROM pg_catalog.pg_stat_activity a
  WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend')
SELECT 0 AS place, 'server' AS name, {SERVER_LIMIT} AS most,
       (SELECT count(*) FROM seen) AS used
UNION ALL
SELECT 1, 'role ' || r.rolname, r.rolconnlimit, (SELECT count(*) FROM seen WHERE usename = r.rolname)
FROM pg_catalog.pg_roles r WHERE r.rolname = %(user)s::text AND r.rolconnlimit >= 0
UNION ALL
SELECT 2, 'database ' || d.datname, d.datconnlimit, (SELECT count(*) FROM seen WHERE datname = d.datname)
FROM pg_catalog.pg_database d WHERE d.datname = %(database)s::text AND d.datconnlimit >= 0
ORDER BY place
"""

LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%(name)s::text, 7355608)) AS taken"

CLAIM = "SELECT recovery.claim(%(action)s::text) AS first"

SESSIONS = """
WITH waits AS MATERIALIZED (
  SELECT a.pid, unnest(pg_blocking_pids(a.pid)) AS blocker
  FROM pg_catalog.pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND a.pid <> pg_backend_pid())
SELECT a.pid, a.backend_start, CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END AS since,
       a.usename::text AS usename, a.datname::text AS datname, a.application_name, host(a.client_addr) AS address,
       a.state, extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS still,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS running,
       a.query, to_jsonb(a) ->> 'query_id' AS query_id,
       CASE WHEN r.oid IS NULL THEN 'is of a role that is gone' WHEN r.rolsuper THEN 'is a superuser'
            WHEN r.rolreplication THEN 'is of a role for replication'
            WHEN a.wait_event = 'SyncRep' THEN 'waits for a synchronous standby' ELSE '' END AS guard,
       (SELECT count(DISTINCT w.pid) FROM waits w WHERE w.blocker = a.pid) AS blocks,
       a.wait_event_type = 'Lock' AS waits
FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
ORDER BY a.backend_start
"""

SIGNAL_BY_FUNCTION = """
SELECT s.pid FROM recovery.signal_sessions(%(action)s::text, %(how)s::text, %(pids)s::int[],
  %(starts)s::timestamptz[], %(sinces)s::timestamptz[], %(user)s::name, %(database)s::name, %(state)s::text,
  make_interval(secs => %(seconds)s::float8), %(most)s::int) AS s
"""

SIGNAL = """
WITH chosen AS MATERIALIZED (
  SELECT a.pid
  FROM unnest(%(pids)s::int[], %(starts)s::timestamptz[], %(sinces)s::timestamptz[]) AS c(pid, start, since)
  JOIN pg_catalog.pg_stat_activity a ON a.pid = c.pid AND a.backend_start = c.start
   AND CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END = c.since
  JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
  WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
    AND a.usename = %(user)s::text AND a.datname = %(database)s::text
    AND (a.state = %(state)s::text OR (a.state = 'idle in transaction (aborted)' AND %(state)s = 'idle in transaction'))
    AND clock_timestamp() - c.since >= make_interval(secs => %(seconds)s::float8)
    AND a.wait_event IS DISTINCT FROM 'SyncRep' AND NOT r.rolsuper AND NOT r.rolreplication
  ORDER BY c.since LIMIT %(most)s::int)
SELECT v.pid FROM chosen v
WHERE CASE %(how)s::text WHEN 'cancel' THEN pg_cancel_backend(v.pid) ELSE pg_terminate_backend(v.pid) END
"""
"""For a role with pg_signal_backend of its own, where the functions are not installed."""

PREPARED = """
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::float8 AS age
FROM pg_catalog.pg_prepared_xacts WHERE database = %(database)s::text ORDER BY prepared LIMIT 100
"""
