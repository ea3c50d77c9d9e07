"""What happens to a database, and what is expected of us: the rows of docs/reference/database-recoveries.md."""

from __future__ import annotations

from dataclasses import dataclass

from e2e import database_faults as faults
from e2e import scenario_acts as acts
from e2e.databases import MARIADB, POSTGRES, STANDBY, Server
from e2e.scenario_acts import Act


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
            acts.terminate(POSTGRES),
            acts.nothing,
            results=(),
            lasts=False,
        ),
        Scenario(
            "restarted",
            "server away for 8 s",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            acts.leave(acts.AWAY),
            acts.nothing,
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
            meddle=acts.kill_first_job,
            proof=acts.no_job_was_repeated,
        ),
        Scenario(
            "offending",
            "one replica takes every connection of the database, again and again",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            acts.use_up_for_everybody,
            acts.give_back,
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
            acts.refresh,
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
            lambda kube: faults.start_long_queries(kube, number=12, seconds=200),
            acts.terminate(MARIADB),
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
            acts.use_up,
            faults.release,
        ),
        Scenario(
            "queries",
            "PgBouncer's pool used up by long queries",
            "asyncpg",
            "pgbouncer",
            POSTGRES,
            lambda kube: faults.start_long_queries(kube, number=12, seconds=200),
            acts.terminate(POSTGRES),
            steps=("queries", "page"),
            results=(("queries", "Verified"),),
        ),
        Scenario(
            "cached-login",
            "PgBouncer remembers that the server was away",
            "psycopg_pool",
            "pgbouncer",
            POSTGRES,
            acts.leave(acts.LONG_AWAY),
            acts.nothing,
            innocent=False,
            lasts=False,
            steps=("reconnect", "page"),
            results=(("reconnect", "Verified"),),
        ),
        # The last one in its lane: afterwards the probe waits before it tries the password again.
        Scenario(
            "password",
            "the server wants another password of the probe",
            "psycopg_pool",
            "postgres",
            POSTGRES,
            acts.change_password,
            acts.restore_password,
            results=(),
            lasts=False,
            proof=acts.no_login_was_repeated,
        ),
    ),
)
SCENARIOS = {scenario.name: scenario for lane in LANES for scenario in lane}
