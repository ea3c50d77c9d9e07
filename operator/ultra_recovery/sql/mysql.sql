-- Users and tables for Ultra Recovery, on MariaDB 10.5.2 or later and on MySQL 8.0 or later. Run it as an
-- administrator. Running it again changes nothing. The users are made locked: the end says how to let them in.
-- What only one of the two servers understands stands in a comment that the other one skips.

-- The user that probes: it logs in to the application's database, sees sessions, and reads no table.
CREATE USER IF NOT EXISTS @probe_role_text@@'%' ACCOUNT LOCK;
ALTER USER @probe_role_text@@'%' WITH MAX_USER_CONNECTIONS 4;
GRANT PROCESS ON *.* TO @probe_role_text@@'%';
-- Without any right on a database nobody gets into it. REFERENCES alone lets nobody read or change anything.
GRANT REFERENCES ON @database@.* TO @probe_role_text@@'%';

-- The user that acts: it sees and ends sessions, gets the one extra connection of a full server, and reads no table of
-- the application. It ends sessions of @app_user_text@ only, which is a rule of the action: the server knows no such limit.
-- On MariaDB the same right lets it set max_connections, and no other setting.
CREATE USER IF NOT EXISTS @role_text@@'%' ACCOUNT LOCK;
ALTER USER @role_text@@'%' WITH MAX_USER_CONNECTIONS 2;
GRANT /*M! CONNECTION ADMIN, */ /*!80000 CONNECTION_ADMIN, */ PROCESS ON *.* TO @role_text@@'%';
-- Names of applications and, on MySQL, who waits for whom: the server's own tables, with no rows of the application.
GRANT SELECT ON performance_schema.* TO @role_text@@'%';

-- On MySQL, raisePoolSize needs one right more, which allows every other setting as well. Grant it only if you use it:
-- GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO @role_text@@'%';

-- What recovery writes: a proof that the server takes writes, and which actions have begun, so that none begins twice.
CREATE DATABASE IF NOT EXISTS recovery;
CREATE TABLE IF NOT EXISTS recovery.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS recovery.action (
  id VARCHAR(63) NOT NULL PRIMARY KEY,
  at DATETIME(6) NOT NULL,
  signals INT NOT NULL DEFAULT 0,
  INDEX (at)
) ENGINE=InnoDB;
GRANT SELECT, INSERT, UPDATE ON recovery.heartbeat TO @role_text@@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery.action TO @role_text@@'%';

-- Now, each with the password of its Secret:
--   ALTER USER @probe_role_text@@'%' IDENTIFIED BY '...' ACCOUNT UNLOCK;
--   ALTER USER @role_text@@'%' IDENTIFIED BY '...' ACCOUNT UNLOCK;
-- Worth doing, so that nothing is left to end: idle_transaction_timeout = 60 on MariaDB, and a wait_timeout far below
-- its default of eight hours.
