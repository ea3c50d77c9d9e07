"""The SQL that installs what recovery needs on a MySQL or MariaDB server. Pure.

One text serves both: what only one of them understands stands in comments that the other one skips. It can be run
again at any time.
"""

from __future__ import annotations

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError

PROBE_USER = "recovery_probe"
RECOVERY_USER = "recovery"
MAX_DATABASE = 64

_TEXT = """\
-- Users and tables for Ultra Recovery, on MariaDB 10.5.2 or later and MySQL 8.0 or later. Run it as an administrator;
-- running it again changes nothing. Both users are made locked: the last lines say how to give them a password.

-- The user that probes: it can log in to the application's database and see sessions, and reads no table.
CREATE USER IF NOT EXISTS '{probe}'@'%' ACCOUNT LOCK;
ALTER USER '{probe}'@'%' WITH MAX_USER_CONNECTIONS 4;
GRANT PROCESS ON *.* TO '{probe}'@'%';
-- Without any right on a database nobody may use it. REFERENCES alone lets nobody read or change anything.
GRANT REFERENCES ON {database}.* TO '{probe}'@'%';

-- The user that acts: it sees and ends sessions, gets the one extra connection of a full server, and reads no table of
-- the application. On MariaDB the same right lets it set max_connections, and no other setting.
CREATE USER IF NOT EXISTS '{recovery}'@'%' ACCOUNT LOCK;
ALTER USER '{recovery}'@'%' WITH MAX_USER_CONNECTIONS 2;
GRANT /*M! CONNECTION ADMIN, */ /*!80000 CONNECTION_ADMIN, */ PROCESS ON *.* TO '{recovery}'@'%';
-- Names of applications and, on MySQL, who waits for whom; tables of the server itself, with nothing of the application.
GRANT SELECT ON performance_schema.* TO '{recovery}'@'%';

-- On MySQL, raisePoolSize needs one right more, which also allows every other setting of the server. Grant it only if
-- you use that action:  GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO '{recovery}'@'%';

-- What recovery writes: a proof that the server takes writes, and which actions have begun, so that none begins twice.
CREATE DATABASE IF NOT EXISTS recovery;
CREATE TABLE IF NOT EXISTS recovery.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS recovery.actions (
  id VARCHAR(63) NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL, signals INT NOT NULL DEFAULT 0, INDEX (at)
) ENGINE=InnoDB;
GRANT SELECT, INSERT, UPDATE ON recovery.heartbeat TO '{recovery}'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery.actions TO '{recovery}'@'%';

-- Now, each with the password of its Secret:
--   ALTER USER '{probe}'@'%' IDENTIFIED BY '...' ACCOUNT UNLOCK;
--   ALTER USER '{recovery}'@'%' IDENTIFIED BY '...' ACCOUNT UNLOCK;
-- Worth doing, so that nothing is left to end: idle_transaction_timeout = 60 on MariaDB, and a wait_timeout far below
-- its default of eight hours.
"""


def mysql_role_sql(database: str) -> str:
    """The SQL for a server on which the application uses `database`.

    Raises:
        SpecError: that cannot be the name of a database.
    """
    if not database or len(database) > MAX_DATABASE or not database.isprintable():
        raise SpecError(Reason.INVALID_SPEC, "--database must be the name of a database, such as orders")
    # In GRANT, _ and % would stand for any characters.
    quoted = database.replace("`", "``").replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
    return _TEXT.format(probe=PROBE_USER, recovery=RECOVERY_USER, database=f"`{quoted}`")
