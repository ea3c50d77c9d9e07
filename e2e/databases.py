"""Real databases under an example app, and the faults that befall them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from e2e.install import read
from e2e.kube import Kube, wait_for
from e2e.traffic import LedgerCheck, Traffic, check_ledger

APP = "orders"
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


def sql(kube: Kube, server: Server, text: str) -> str:
    """What the server's superuser gets for a query: rows of columns."""
    return in_pod(kube, server.pod, *server.query, text).strip()


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


# --- Faults ---


def leak_connections(kube: Kube, number: int = 6, seconds: float = 3600.0) -> list[str]:
    """Every replica of the app forgets as many transactions of its pool, open and idle; names of the replicas."""
    return _ask_all(kube, f"/leak?n={number}&seconds={seconds:g}")


def block_writers(kube: Kube, item: int = 1, seconds: float = 3600.0) -> str:
    """One transaction beside the pool locks the row of an item and stays idle; the name of the replica that has it."""
    pod = sorted(kube.pods(APP))[0]
    kube.post(pod, f"/leak?n=1&item={item}&pool=no&seconds={seconds:g}")
    return pod


def start_long_queries(kube: Kube, number: int = 6, seconds: float = 60.0) -> list[str]:
    """Every replica runs as many long queries on its pool; names of the replicas."""
    return _ask_all(kube, f"/slow?n={number}&seconds={seconds:g}")


def reach_connection_limit(kube: Kube, server: Server, number: int = 40) -> str:
    """One replica holds open transactions until the app's role may not connect any more; that replica's name.

    The connections of the pools are ended, as an app's restart would, and the leak takes their places.
    """
    pod = sorted(kube.pods(APP))[0]
    kube.post(pod, f"/leak?n={number}&pool=no")

    def all_leaked() -> bool:
        found = sessions(kube, server)
        others = [session for session, state in found.items() if state != "idle in transaction"]
        _end(kube, server, others)
        return bool(found) and not others

    wait_for(all_leaked, "the leak has every connection that the app may have")
    return pod


def release(kube: Kube) -> None:
    """Every replica ends what it leaked."""
    _ask_all(kube, "/release")


def terminate_backends(kube: Kube, server: Server) -> int:
    """End every session of the app at once; how many there were."""
    found = sessions(kube, server)
    _end(kube, server, found)
    return len(found)


def restart(kube: Kube, server: Server) -> None:
    """Stop the server; the kubelet starts it again on the same data."""
    in_pod(kube, server.pod, *server.stop, check=False)


def take_away(kube: Kube, server: Server) -> None:
    """Stop the server and keep it down until `bring_back`."""
    in_pod(kube, server.pod, "touch", "/data/away")
    restart(kube, server)


def bring_back(kube: Kube, server: Server) -> None:
    """Let a server that was taken away serve again, and wait until it does."""
    wait_for(
        lambda: not in_pod(kube, server.pod, "sh", "-c", "rm -f /data/away || echo no", check=False).strip(),
        "the pod runs again",
    )
    kube.run("rollout", "status", f"statefulset/{server.name}", "--timeout=60s")


def freeze(kube: Kube, server: Server) -> None:
    """Stop every process of the server by SIGSTOP: connections are accepted and nothing is answered."""
    _signal(kube, server, "STOP")


def thaw(kube: Kube, server: Server) -> None:
    """Let a frozen server go on."""
    _signal(kube, server, "CONT")


def set_password(kube: Kube, server: Server, password: str) -> None:
    """Put a password into the app's Secret and replace the app's pods."""
    patch = json.dumps({"stringData": {"password": password}})
    kube.run("patch", "secret", f"{server.name}-app", "--patch", patch)
    kube.run("delete", "pods", "-l", f"app.kubernetes.io/name={APP}", "--wait=false")


def fail_over(kube: Kube) -> None:
    """Promote the standby and point the Service at it; the old primary stays up, and writes nothing any more.

    Nothing committed is lost. Sessions that the app has on the old primary stay there.
    """
    sql(kube, POSTGRES, "ALTER SYSTEM SET default_transaction_read_only = on")
    sql(kube, POSTGRES, "SELECT pg_reload_conf()")
    last = sql(kube, POSTGRES, "SELECT pg_sleep(0.2); SELECT pg_current_wal_flush_lsn()").splitlines()[-1]
    wait_for(
        lambda: sql(kube, STANDBY, f"SELECT pg_last_wal_replay_lsn() >= '{last}'") == "t", "the standby has everything"
    )
    sql(kube, STANDBY, "SELECT pg_promote()")
    selector = {"spec": {"selector": {"app.kubernetes.io/name": STANDBY.name}}}
    kube.run("patch", "service", POSTGRES.name, "--patch", json.dumps(selector))


def _end(kube: Kube, server: Server, which: Iterable[str]) -> None:
    """End sessions; one that has gone in the meantime is none the worse."""
    if text := "; ".join(server.end_session.format(id=session) for session in which):
        in_pod(kube, server.pod, *server.query, text, check=False)


def _ask_all(kube: Kube, path: str) -> list[str]:
    pods = sorted(kube.pods(APP))
    for pod in pods:
        kube.post(pod, path)
    return pods


def _signal(kube: Kube, server: Server, name: str) -> None:
    # The shell itself knows `kill`; the image needs no other program.
    script = f'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != {server.process} ] || kill -{name} ${{p#/proc/}}; done'
    in_pod(kube, server.pod, "sh", "-c", script)
