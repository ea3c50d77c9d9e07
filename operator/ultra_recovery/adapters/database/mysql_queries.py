"""What is asked of MySQL and MariaDB. Values are always arguments."""

from __future__ import annotations

HELLO = """SELECT VERSION() AS version, CONNECTION_ID() AS own, USER() AS user, UNIX_TIMESTAMP() AS now,
 @@GLOBAL.performance_schema AS performance"""
UPTIME = "SHOW GLOBAL STATUS LIKE 'Uptime'"
# InnoDB tells times in the zone of the machine, whatever the server's own zone is. Locks of sessions that died with
# their machine must not live for the usual eight hours.
SETTINGS = "SET SESSION time_zone = 'SYSTEM', lock_wait_timeout = 2, innodb_lock_wait_timeout = 2, wait_timeout = 600"
MARK = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
UNMARK = "COMMIT"
TRANSACTIONS = """SELECT trx_id AS id, trx_mysql_thread_id AS thread, trx_state AS state,
 CAST(trx_started AS CHAR) AS started, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS seconds,
 trx_rows_modified AS changed FROM information_schema.INNODB_TRX"""
# A statement may be as long as max_allowed_packet: its beginning is enough.
_PROCESSES = """SELECT ID AS id, USER AS user, HOST AS host, DB AS db, COMMAND AS command, TIME AS seconds,
 STATE AS status, IF(COMMAND IN ('Query', 'Execute'), LEFT(INFO, 8192), NULL) AS statement, {query} AS query_id
 FROM information_schema.PROCESSLIST"""
PROGRAMS = """SELECT PROCESSLIST_ID AS id, ATTR_VALUE AS name FROM performance_schema.session_connect_attrs
 WHERE ATTR_NAME = 'program_name'"""
_BLOCKING_MARIADB = """SELECT b.trx_mysql_thread_id AS id, COUNT(*) AS waiting
 FROM information_schema.INNODB_LOCK_WAITS w JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id
 GROUP BY b.trx_mysql_thread_id"""
_BLOCKING_MYSQL = """SELECT t.PROCESSLIST_ID AS id, COUNT(*) AS waiting FROM performance_schema.data_lock_waits w
 JOIN performance_schema.threads t ON t.THREAD_ID = w.BLOCKING_THREAD_ID GROUP BY t.PROCESSLIST_ID"""
CONNECTED = "SHOW GLOBAL STATUS LIKE 'Threads_connected'"
LIMITS = "SELECT @@GLOBAL.max_connections AS most, @@GLOBAL.max_user_connections AS of_user"
READ_ONLY = "SELECT @@GLOBAL.read_only AS server, @@GLOBAL.innodb_read_only AS engine"
OF_USER = "SELECT COUNT(*) AS used FROM information_schema.PROCESSLIST WHERE USER = %s"
GRANTS = "SHOW GRANTS"
LOCK = "SELECT GET_LOCK(%s, 0) AS taken"
HEARTBEAT = "INSERT INTO recovery.heartbeat (id, at) VALUES (1, NOW(6)) ON DUPLICATE KEY UPDATE at = NOW(6)"
CLAIM = "INSERT IGNORE INTO recovery.action (id, at, signals) VALUES (%s, NOW(6), 0)"
FORGET = "DELETE FROM recovery.action WHERE at < NOW() - INTERVAL 30 DAY ORDER BY at LIMIT 100"
SPEND = "UPDATE recovery.action SET signals = signals + 1 WHERE id = %s AND signals < %s"
SWAP = "SET GLOBAL max_connections = IF(@@GLOBAL.max_connections = %s, %s, @@GLOBAL.max_connections)"
MEMORY = """SELECT
 @@GLOBAL.innodb_buffer_pool_size + @@GLOBAL.innodb_log_buffer_size + @@GLOBAL.key_buffer_size AS shared,
 @@GLOBAL.sort_buffer_size + @@GLOBAL.join_buffer_size + @@GLOBAL.read_buffer_size + @@GLOBAL.read_rnd_buffer_size
 + @@GLOBAL.thread_stack + 2 * @@GLOBAL.net_buffer_length AS each_one, @@GLOBAL.open_files_limit AS files"""

# The list of processes is live, so a look at it right before the signal is the truth of that moment.
_STILL = """SELECT 1 AS still FROM information_schema.PROCESSLIST WHERE ID = %s AND USER = %s AND HOST = %s AND DB = %s
 AND COMMAND IN ('Sleep', 'Query', 'Execute') AND TIME >= %s"""
_STILL_MARIADB = f"{_STILL} AND QUERY_ID = %s"
# Looked at and signalled inside the server, in one statement.
_CHECKED = f"""BEGIN NOT ATOMIC
 IF EXISTS({_STILL_MARIADB}) THEN {{signal}}; SELECT 1 AS done; ELSE SELECT 0 AS done; END IF; END"""


class Dialect:
    """Where MariaDB and MySQL differ."""

    def __init__(self, version: str) -> None:
        self.mariadb = "mariadb" in version.lower()
        self.processes = _PROCESSES.format(query="QUERY_ID" if self.mariadb else "NULL")
        self.blocking = _BLOCKING_MARIADB if self.mariadb else _BLOCKING_MYSQL
        self.admin = "CONNECTION ADMIN" if self.mariadb else "CONNECTION_ADMIN"

    @property
    def checked_signal(self) -> str:
        """A statement that looks and signals; its answer `done` says whether it did."""
        return _CHECKED

    @property
    def still(self) -> str:
        """A question whether a session is still what it was."""
        return _STILL


def kill(connection: int, query_id: int | None, *, session: bool) -> str:
    """The signal. MariaDB takes the number of the statement itself, so that no other one can be hit."""
    if session:
        return f"KILL CONNECTION {connection:d}"
    return f"KILL QUERY ID {query_id:d}" if query_id is not None else f"KILL QUERY {connection:d}"
