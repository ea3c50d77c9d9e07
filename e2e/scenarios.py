"""What happens to a database, and what is expected of us: the rows of docs/reference/database-recoveries.md."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from e2e import database_faults as faults
from e2e.databases import APP_LIMIT, MARIADB, POSTGRES, STANDBY, Server, sql
from e2e.kube import Kube, status, wait_for

Act = Callable[[Kube], object]
AWAY = 8.0
LONG_AWAY = 6.0


@dataclass(frozen=True, repr=False)
class Scenario:
    """A fault, the app it befalls, and what is expected.

    Attributes:
        name: in one word.
        title: for the table.
        variant: how the app keeps connections.
        via: what it connects to.
        watched: the server that the breaker watches.
        fault: makes it.
        undo: ends it where nobody helps; also clears up afterwards.
        steps: the steps of the example's ladder that the policy has.
        results: of the steps of the first run with help; empty where no run is expected. Where the fault ends by
            itself the run may end before it comes to all of them.
        lasts: whether the app goes on failing without help.
        innocent: whether somebody else's session survives it.
        ends_on: where the orders are afterwards.
        meddle: what else happens while the help is at work.
        proof: what else must be true in the shop with help afterwards.
    """

    name: str
    title: str
    variant: str
    via: str
    watched: Server
    fault: Act
    undo: Act
    steps: tuple[str, ...] = ("refresh", "queries", "reconnect", "restart", "page")
    results: tuple[tuple[str, str], ...] = (("refresh", "Verified"),)
    lasts: bool = True
    innocent: bool = True
    ends_on: Server | None = None
    meddle: Act | None = None
    proof: Act | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def recovers(self) -> bool:
        """Whether the app serves again while the fault lasts, or the fault ends by itself."""
        return ("page", "Notified") not in self.results

    @property
    def ledger(self) -> Server:
        """Where the orders are afterwards."""
        return self.ends_on or self.watched


def nothing(kube: Kube) -> None:
    """It ends by itself."""
    del kube


def leave(seconds: float) -> Act:
    """The server goes away for a while, long enough for a breaker to open."""

    def act(kube: Kube) -> None:
        faults.take_away(kube, POSTGRES)
        time.sleep(seconds)
        faults.bring_back(kube, POSTGRES)

    return act


def terminate(server: Server) -> Act:
    """Every session of the app is ended."""
    return lambda kube: faults.terminate_backends(kube, server)


def refresh(kube: Kube) -> None:
    """The app's own hook on every replica."""
    for pod in kube.pods("orders"):
        kube.post(pod, "/pool/refresh")


def use_up(kube: Kube) -> None:
    """One replica takes all connections that the app may have."""
    faults.reach_connection_limit(kube, POSTGRES)


def use_up_for_everybody(kube: Kube) -> None:
    """One replica takes all connections that the database has, and takes more as soon as some are free."""
    # One for somebody else's session; the probe and the app come too late for any.
    sql(kube, POSTGRES, f"ALTER DATABASE orders CONNECTION LIMIT {APP_LIMIT + 1}")
    faults.reach_connection_limit(kube, POSTGRES, 50)


def give_back(kube: Kube) -> None:
    """What was taken is given back."""
    faults.release(kube)
    sql(kube, POSTGRES, "ALTER DATABASE orders CONNECTION LIMIT -1")


def kill_first_job(kube: Kube) -> None:
    """The pod of the first Job dies as soon as it runs."""

    def running() -> str:
        pods = kube.list("pods", "-l", "batch.kubernetes.io/job-name")
        return next((pod["metadata"]["name"] for pod in pods if status(pod).get("phase") == "Running"), "")

    pod = wait_for(running, "a Job runs")
    kube.run("delete", "pod", pod, "--force", "--grace-period=0")


def no_job_was_repeated(kube: Kube) -> None:
    """The Job whose pod died has failed with it: there was no second pod, and so no second effect."""
    jobs = [status(job) for job in kube.list("jobs") if job["metadata"]["name"].startswith("killed-1-1-")]
    assert [(job.get("failed"), job.get("succeeded"), job.get("active")) for job in jobs] == [(1, None, None)], jobs


LANES: tuple[tuple[Scenario, ...], ...] = (
    (
        Scenario(
            "leaked",
            "pool used up by transactions left open",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            faults.leak_connections,
            faults.release,
        ),
        Scenario(
            "terminated",
            "every session of the app ended",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            terminate(POSTGRES),
            nothing,
            results=(),
            lasts=False,
        ),
        Scenario(
            "restarted",
            "server away for 8 s",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            leave(AWAY),
            nothing,
            lasts=False,
            innocent=False,
            results=(("refresh", "NothingToDo"), ("queries", "NothingToDo"), ("reconnect", "NothingToDo")),
        ),
        Scenario(
            "killed",
            "as the first, and the pod of the first Job is killed",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            faults.leak_connections,
            faults.release,
            steps=("refresh",),
            results=(("refresh", "Error"),),
            meddle=kill_first_job,
            proof=no_job_was_repeated,
        ),
        Scenario(
            "offending",
            "one replica takes every connection of the database, again and again",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            use_up_for_everybody,
            give_back,
            steps=("refresh", "restart", "page"),
            results=(("refresh", "Unverified"), ("restart", "Verified")),
        ),
        Scenario(
            "frozen",
            "server frozen (SIGSTOP)",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            lambda kube: faults.freeze(kube, POSTGRES),
            lambda kube: faults.thaw(kube, POSTGRES),
            results=(
                ("refresh", "NothingToDo"),
                ("queries", "NothingToDo"),
                ("reconnect", "Error"),
                ("page", "Notified"),
            ),
            # The step restart would wait for the database until the run's time is over.
            steps=("refresh", "queries", "reconnect", "page"),
        ),
        # The last one in its lane: afterwards the standby is the primary.
        Scenario(
            "failover",
            "after a failover the app stays on the old, read-only server",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            faults.fail_over,
            refresh,
            ends_on=STANDBY,
        ),
    ),
    (
        Scenario(
            "leaked-mariadb",
            "pool used up by transactions left open (MariaDB)",
            "mysql",
            "mariadb",
            MARIADB,
            faults.leak_connections,
            faults.release,
        ),
        Scenario(
            "queries-mariadb",
            "pool used up by long queries (MariaDB)",
            "mysql",
            "mariadb",
            MARIADB,
            lambda kube: faults.start_long_queries(kube, seconds=200),
            terminate(MARIADB),
            steps=("queries", "page"),
            results=(("queries", "Verified"),),
        ),
        Scenario(
            "blocked",
            "writers blocked by a transaction left open",
            "psycopg_pool",
            "postgres",
            POSTGRES,
            faults.block_writers,
            faults.release,
        ),
        Scenario(
            "limit",
            "connection limit of the app's role reached by one replica",
            "asyncpg",
            "postgres",
            POSTGRES,
            use_up,
            faults.release,
        ),
        Scenario(
            "queries",
            "PgBouncer's pool used up by long queries",
            "asyncpg",
            "pgbouncer",
            POSTGRES,
            lambda kube: faults.start_long_queries(kube, seconds=200),
            terminate(POSTGRES),
            steps=("queries", "page"),
            results=(("queries", "Verified"),),
        ),
        Scenario(
            "cached-login",
            "PgBouncer remembers that the server was away",
            "psycopg_pool",
            "pgbouncer",
            POSTGRES,
            leave(LONG_AWAY),
            nothing,
            innocent=False,
            lasts=False,
            steps=("reconnect", "page"),
            results=(("reconnect", "Verified"),),
        ),
    ),
)
SCENARIOS = {scenario.name: scenario for lane in LANES for scenario in lane}
