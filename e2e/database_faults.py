"""Faults of real databases, and what undoes them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from e2e.databases import APP, APP_LIMIT, POSTGRES, STANDBY, Server, in_pod, sessions, sql
from e2e.kube import Kube, wait_for

_UNTIL_ALL_LEAKED = f"""
DO $$
DECLARE
    leaked int; others int; most int := 0; level int := 0;
BEGIN
    FOR look IN 1..600 LOOP
        PERFORM pg_stat_clear_snapshot();
        SELECT count(*) FILTER (WHERE state = 'idle in transaction'),
               count(*) FILTER (WHERE state IS DISTINCT FROM 'idle in transaction')
            INTO leaked, others FROM pg_stat_activity WHERE usename = 'app' AND datname = 'orders';
        -- Twice: one of them may be a pool's, between two statements.
        level := CASE WHEN leaked = {APP_LIMIT} AND others = 0 THEN level + 1 ELSE 0 END;
        most := greatest(most, leaked);
        -- Or help came before the last connection was taken.
        IF level = 2 OR leaked < most / 2 THEN
            RETURN;
        END IF;
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename = 'app' AND datname = 'orders' AND state IS DISTINCT FROM 'idle in transaction';
        PERFORM pg_sleep(0.1);
    END LOOP;
    RAISE EXCEPTION 'after a minute the leak has % connections, had % at most, and % are others', leaked, most, others;
END $$
"""


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


def reach_connection_limit(kube: Kube, number: int = APP_LIMIT) -> str:
    """One replica holds open transactions on PostgreSQL until the app's role may not connect any more; its name.

    The connections of the pools are ended, as an app's restart would, and the leak takes their places. The server
    does it itself: from outside, each look at a busy machine would give the pools seconds to connect again.
    """
    pod = sorted(kube.pods(APP))[0]
    kube.post(pod, f"/leak?n={number}&pool=no")
    # Not in the app's database: this session must not be the one that its limit leaves room for.
    sql(kube, POSTGRES, _UNTIL_ALL_LEAKED, database="postgres")
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
