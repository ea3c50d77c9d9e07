"""Real databases under an example app: how they are started and looked at; faults are in database_faults.py."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from e2e.install import read
from e2e.kube import POLL, Kube, KubectlError, wait_for
from e2e.traffic import LedgerCheck, Traffic, check_ledger

APP = "orders"
FULL = ("sorry, too many clients already", "remaining connection slots are reserved", "Too many connections")
"""What servers say of themselves when they are full."""
ADMISSION = 60.0
APP_LIMIT = 20
"""The most connections that the app may have, on either kind of server."""
PLACES = {
    "postgres": ("orders-db", "5432", "none"),
    "pgbouncer": ("pgbouncer", "6432", "transaction"),
    "mariadb": ("orders-mariadb", "3306", "none"),
}


@dataclass(frozen=True)
class Server:
    """A database server.

    Attributes:
        name: Of its Service and its StatefulSet; Secrets begin with it.
        process: The name of its processes.
        query: The command line in its pod that runs SQL as the superuser; the text comes last.
        stop: The command line that makes it end.
        sessions: SQL for the app's sessions as rows: id, state.
        end_session: SQL that ends one of them, with {id}.
    """

    name: str
    process: str
    query: tuple[str, ...]
    stop: tuple[str, ...]
    sessions: str
    end_session: str

    @property
    def pod(self) -> str:
        """The name of its pod."""
        return f"{self.name}-0"


def _postgres(name: str) -> Server:
    return Server(
        name,
        "postgres",
        ("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--dbname=orders", "--command"),
        ("pg_ctl", "--pgdata=/data/postgres", "--mode=fast", "stop"),
        "SELECT pid, state FROM pg_stat_activity WHERE usename = 'app' AND datname = 'orders'",
        "SELECT pg_terminate_backend({id})",
    )


POSTGRES = _postgres("orders-db")
STANDBY = _postgres("orders-db-standby")
_ROOT = ("--socket=/run/database/mariadb.sock", "--user=root")
MARIADB = Server(
    "orders-mariadb",
    "mariadbd",
    ("mariadb", *_ROOT, "--force", "--skip-column-names", "--batch", "--database=orders", "--execute"),
    ("mariadb-admin", *_ROOT, "shutdown"),
    "SELECT p.id, IF(t.trx_id IS NULL OR p.command <> 'Sleep', p.command, 'idle in transaction') "
    "FROM information_schema.processlist p LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id "
    "WHERE p.user = 'app'",
    "KILL CONNECTION {id}",
)


# --- Start ---


def start_postgres(kube: Kube) -> Server:
    """Apply examples/databases/postgres.yaml and wait until it serves."""
    return _start(kube, "postgres", POSTGRES)


def start_standby(kube: Kube) -> Server:
    """Apply a hot standby of the running PostgreSQL and wait until it follows."""
    server = _start(kube, "standby", STANDBY)
    wait_for(lambda: sql(kube, POSTGRES, "SELECT state FROM pg_stat_replication") == "streaming", "the standby follows")
    return server


def start_mariadb(kube: Kube) -> Server:
    """Apply examples/databases/mariadb.yaml and wait until it serves."""
    return _start(kube, "mariadb", MARIADB)


def start_pgbouncer(kube: Kube, replicas: int = 1) -> None:
    """Apply PgBouncer before the running PostgreSQL and wait until it serves."""
    kube.apply(read("examples/databases/pgbouncer.yaml").replace("replicas: 1", f"replicas: {replicas}"))
    kube.run("rollout", "status", "deployment/pgbouncer", "--timeout=110s")


def start_orders(kube: Kube, variant: str, via: str) -> None:
    """Apply the app and wait until it is ready.

    Args:
        kube: where.
        variant: how it keeps connections: sqlalchemy, psycopg_pool, asyncpg, mysql.
        via: what it connects to: postgres, pgbouncer, mariadb.
    """
    host, port, pooler = PLACES[via]
    text = read("examples/databases/orders.yaml")
    for old, new in (
        ("VARIANT, value: sqlalchemy", f"VARIANT, value: {variant}"),
        ("DATABASE_HOST, value: orders-db", f"DATABASE_HOST, value: {host}"),
        ('DATABASE_PORT, value: "5432"', f'DATABASE_PORT, value: "{port}"'),
        ("POOLER, value: none", f"POOLER, value: {pooler}"),
        ("secretName: orders-db-app", f"secretName: {MARIADB.name if via == 'mariadb' else POSTGRES.name}-app"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    kube.apply(text)
    kube.run("rollout", "status", f"deployment/{APP}", "--timeout=110s")
    wait_for(
        lambda: len(kube.list("pods", "-l", f"app.kubernetes.io/name={APP}")) == len(kube.pods(APP)),
        "the replicas before have gone",
    )


def _start(kube: Kube, manifest: str, server: Server) -> Server:
    kube.apply(read(f"examples/databases/{manifest}.yaml"))
    kube.run("rollout", "status", f"statefulset/{server.name}", "--timeout=110s")
    return server


# --- Look ---


def sql(kube: Kube, server: Server, text: str, *, database: str = "") -> str:
    """What the server's superuser gets for a query: rows of columns.

    Clients that are turned away come back all the time, and each takes a connection for a moment, reserved or not: so
    does this one until it gets in.
    """
    options = (f"--dbname={database}",) if database else ()
    words = (*server.query[:-1], *options, server.query[-1], text)
    end = time.monotonic() + ADMISSION
    while True:
        try:
            return in_pod(kube, server.pod, *words).strip()
        except KubectlError as error:
            if not any(sentence in str(error) for sentence in FULL) or time.monotonic() > end:
                raise
            time.sleep(POLL)


def sessions(kube: Kube, server: Server) -> dict[str, str]:
    """The app's sessions on a server and their states."""
    rows = [row.replace("\t", "|").split("|") for row in sql(kube, server, server.sessions).splitlines()]
    return {row[0]: row[1] for row in rows}


def stats(kube: Kube, pod: str) -> dict[str, object]:
    """What a replica of the app says of its pool and its requests."""
    address = f"/api/v1/namespaces/{kube.namespace}/pods/{pod}:8080/proxy/stats"
    found: dict[str, object] = json.loads(kube.run("get", "--raw", address))
    return found


def ledger(kube: Kube, server: Server, traffic: Traffic) -> LedgerCheck:
    """Compare what was acknowledged with what the server has; the load must have ended."""
    rows = sql(kube, server, f"SELECT id FROM ledger WHERE id LIKE '{traffic.run}-%'").splitlines()
    difference = "SELECT (SELECT count(*) FROM ledger) - (SELECT sum(sold) FROM stock)"
    return check_ledger(traffic.acknowledged(), rows, balanced=sql(kube, server, difference) == "0")


def in_pod(kube: Kube, pod: str, *words: str, check: bool = True) -> str:
    """What a command prints in a pod."""
    return kube.run("exec", pod, "--", *words, check=check)


def refused_logins(kube: Kube) -> int:
    """How many logins PostgreSQL has refused for their password since it was started."""
    return kube.run("logs", POSTGRES.pod).count("password authentication failed")
