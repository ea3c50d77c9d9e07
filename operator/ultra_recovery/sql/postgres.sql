-- What Ultra Recovery needs on a PostgreSQL server (14 or newer), and nothing more. May be run again at any time.
--
--   ultra-recovery generate sql --engine postgres ... | psql -v ON_ERROR_STOP=1 -d postgres      as a superuser
--
-- Afterwards give both roles that log in a password: \password @probe_role@ and \password @role@. On PostgreSQL 14 and 15
-- the role that acts has no reserved connection: give the application's role a limit below max_connections, such as
-- ALTER ROLE ... CONNECTION LIMIT 90, so that the server is never full for everybody.

\connect postgres

SELECT format('CREATE ROLE %I NOLOGIN', name) FROM (VALUES ('recovery_owner')) AS r (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format('CREATE ROLE %I LOGIN CONNECTION LIMIT 5', name) FROM (VALUES (@probe_role_text@), (@role_text@)) AS r (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- They look at what sessions do; they read no table of yours.
GRANT pg_read_all_stats TO recovery_owner, @probe_role@, @role@;
GRANT pg_signal_backend TO recovery_owner;
SELECT format('GRANT pg_use_reserved_connections TO %I', @role_text@)
WHERE current_setting('server_version_num')::int >= 160000 \gexec

CREATE SCHEMA IF NOT EXISTS recovery;
ALTER SCHEMA recovery OWNER TO recovery_owner;
REVOKE ALL ON SCHEMA recovery FROM PUBLIC;

-- Whose sessions may be ended, and how many by one action at most.
CREATE TABLE IF NOT EXISTS recovery.allowed (
  app_user name NOT NULL, database name NOT NULL, most integer NOT NULL DEFAULT 500, PRIMARY KEY (app_user, database));
ALTER TABLE recovery.allowed OWNER TO recovery_owner;
INSERT INTO recovery.allowed (app_user, database) VALUES (@app_user_text@, @database_text@) ON CONFLICT DO NOTHING;

-- What has begun: an action whose pod was replaced half-way is not carried out twice.
CREATE TABLE IF NOT EXISTS recovery.action (
  id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), claimed boolean NOT NULL DEFAULT false,
  terminated integer NOT NULL DEFAULT 0, cancelled integer NOT NULL DEFAULT 0);
ALTER TABLE recovery.action OWNER TO recovery_owner;

CREATE OR REPLACE FUNCTION recovery.claim(p_action text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  DELETE FROM recovery.action a WHERE a.at < clock_timestamp() - interval '30 days';
  INSERT INTO recovery.action AS a (id, claimed) VALUES (p_action, true)
  ON CONFLICT (id) DO UPDATE SET claimed = true WHERE NOT a.claimed;
  RETURN FOUND;
END $f$;

-- Ends sessions, or cancels their statements: only those of an application that is allowed, each checked once more in
-- the statement that signals. A session that has moved since it was seen is left alone.
CREATE OR REPLACE FUNCTION recovery.signal_sessions(
  p_action text, p_how text, p_pids integer[], p_starts timestamptz[], p_sinces timestamptz[],
  p_user name, p_database name, p_state text, p_min interval, p_most integer) RETURNS TABLE (pid integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
#variable_conflict use_column
DECLARE
  v_left integer;
  v_done integer;
BEGIN
  SELECT least(greatest(p_most, 0), w.most) INTO v_left
  FROM recovery.allowed w WHERE w.app_user = p_user AND w.database = p_database;
  IF v_left IS NULL THEN
    RAISE EXCEPTION 'recovery: sessions of role % on database % are not in table recovery.allowed', p_user, p_database
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF NOT COALESCE((p_how = 'terminate' AND p_state IN ('idle in transaction', 'idle', 'active'))
                  OR (p_how = 'cancel' AND p_state = 'active'), false) OR p_min IS NULL OR p_min < interval '1 second' THEN
    RAISE EXCEPTION 'recovery: % of sessions that are % is not allowed', p_how, p_state
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF NOT pg_is_in_recovery() THEN
    INSERT INTO recovery.action (id) VALUES (p_action) ON CONFLICT DO NOTHING;
    SELECT v_left - CASE p_how WHEN 'cancel' THEN a.cancelled ELSE a.terminated END INTO v_left
    FROM recovery.action a WHERE a.id = p_action FOR UPDATE;
  END IF;
  RETURN QUERY
  WITH chosen AS MATERIALIZED (       -- MATERIALIZED: no signal before the filter
    SELECT s.pid
    FROM unnest(p_pids, p_starts, p_sinces) AS c (pid, start, since)
    JOIN pg_stat_activity s ON s.pid = c.pid AND s.backend_start = c.start
     AND CASE WHEN s.state = 'active' THEN s.query_start ELSE s.state_change END = c.since
    JOIN pg_roles r ON r.oid = s.usesysid
    WHERE s.backend_type = 'client backend' AND s.pid <> pg_backend_pid()
      AND s.usename = p_user AND s.datname = p_database
      AND (s.state = p_state OR (s.state = 'idle in transaction (aborted)' AND p_state = 'idle in transaction'))
      AND clock_timestamp() - c.since >= p_min
      AND s.wait_event IS DISTINCT FROM 'SyncRep' AND NOT r.rolsuper AND NOT r.rolreplication
    ORDER BY c.since LIMIT greatest(v_left, 0))
  SELECT v.pid FROM chosen v
  WHERE CASE p_how WHEN 'cancel' THEN pg_cancel_backend(v.pid) ELSE pg_terminate_backend(v.pid) END;
  GET DIAGNOSTICS v_done = ROW_COUNT;
  IF NOT pg_is_in_recovery() THEN
    UPDATE recovery.action a SET terminated = a.terminated + CASE p_how WHEN 'cancel' THEN 0 ELSE v_done END,
                                 cancelled = a.cancelled + CASE p_how WHEN 'cancel' THEN v_done ELSE 0 END
    WHERE a.id = p_action;
  END IF;
END $f$;

ALTER FUNCTION recovery.claim(text) OWNER TO recovery_owner;
ALTER FUNCTION recovery.signal_sessions(text, text, integer[], timestamptz[], timestamptz[], name, name, text, interval,
  integer) OWNER TO recovery_owner;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA recovery FROM PUBLIC;
GRANT USAGE ON SCHEMA recovery TO @role@;
GRANT EXECUTE ON FUNCTION recovery.claim(text) TO @role@;
GRANT EXECUTE ON FUNCTION recovery.signal_sessions(text, text, integer[], timestamptz[], timestamptz[], name, name, text,
  interval, integer) TO @role@;

\connect @database@

-- One row that is written to prove that the server takes writes.
CREATE SCHEMA IF NOT EXISTS recovery;
ALTER SCHEMA recovery OWNER TO recovery_owner;
REVOKE ALL ON SCHEMA recovery FROM PUBLIC;
CREATE TABLE IF NOT EXISTS recovery.heartbeat (id integer PRIMARY KEY CHECK (id = 1), at timestamptz NOT NULL);
ALTER TABLE recovery.heartbeat OWNER TO recovery_owner;
GRANT USAGE ON SCHEMA recovery TO @role@;
GRANT SELECT, INSERT, UPDATE ON recovery.heartbeat TO @role@;
SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), @probe_role_text@, @role_text@) \gexec
