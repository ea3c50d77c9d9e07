"""The example app serves from every database, and every fault is one that does not go away by itself.

Two shops suffer side by side, each in a namespace of its own, so that waiting for one is not waiting for nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from e2e import database_faults as faults
from e2e import databases as db
from e2e.bystander import Bystander
from e2e.databases import MARIADB, POSTGRES, STANDBY, Server
from e2e.install import make_namespace
from e2e.kube import Kube
from e2e.traffic import Outage, Traffic

CALM = 3.0
LASTING = 15.0
Act = Callable[[Kube], object]


@dataclass(frozen=True)
class Trouble:
    """A fault, the app it befalls, and what undoes it.

    Attributes:
        name: in words.
        variant: how the app keeps connections.
        via: what it connects to.
        server: where its orders are afterwards.
        fault: makes it.
        undo: ends it; None where it ends by itself.
        innocent: whether somebody else's session survives it.
        lasts: whether requests fail for as long as we look.
    """

    name: str
    variant: str
    via: str
    server: Server
    fault: Act
    undo: Act | None
    innocent: bool = True
    lasts: bool = True


def spoil(kube: Kube) -> None:
    """A wrong password for the app."""
    faults.set_password(kube, POSTGRES, "mistaken")


def restore(kube: Kube) -> None:
    """The password of examples/databases/postgres.yaml."""
    faults.set_password(kube, POSTGRES, "app-example")


def use_up(kube: Kube) -> None:
    """The app has all connections that it may have, and cannot get in; who may help still can."""
    faults.reach_connection_limit(kube, POSTGRES)
    assert "too many connections" in db.may_log_in(kube, "app", "orders")
    assert (db.may_log_in(kube, "probe"), db.may_log_in(kube, "recovery")) == ("", "")


def refresh(kube: Kube) -> None:
    """The app's own hook on every replica."""
    for pod in kube.pods(db.APP):
        kube.post(pod, "/pool/refresh")


def go_away_for_a_while(kube: Kube) -> None:
    """Long enough for the pooler to notice."""
    faults.take_away(kube, POSTGRES)
    time.sleep(2)
    faults.bring_back(kube, POSTGRES)


LANES = (
    (
        Trouble("leaked", "sqlalchemy", "postgres", POSTGRES, faults.leak_connections, faults.release),
        Trouble(
            "ended",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            lambda kube: faults.terminate_backends(kube, POSTGRES),
            None,
            lasts=False,
        ),
        Trouble(
            "restarted",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            lambda kube: faults.restart(kube, POSTGRES),
            None,
            innocent=False,
            lasts=False,
        ),
        Trouble(
            "frozen",
            "sqlalchemy",
            "postgres",
            POSTGRES,
            lambda kube: faults.freeze(kube, POSTGRES),
            lambda kube: faults.thaw(kube, POSTGRES),
        ),
        Trouble("password", "sqlalchemy", "postgres", POSTGRES, spoil, restore),
        # The last one in its lane: afterwards the standby is the primary.
        Trouble("failover", "sqlalchemy", "postgres", STANDBY, faults.fail_over, refresh),
    ),
    (
        Trouble("leaked-mariadb", "mysql", "mariadb", MARIADB, faults.leak_connections, faults.release),
        Trouble("blocked", "psycopg_pool", "postgres", POSTGRES, faults.block_writers, faults.release),
        Trouble("limit", "asyncpg", "postgres", POSTGRES, use_up, faults.release),
        Trouble(
            "long-queries",
            "asyncpg",
            "pgbouncer",
            POSTGRES,
            faults.start_long_queries,
            lambda kube: faults.terminate_backends(kube, POSTGRES),
        ),
        Trouble("cached-login", "psycopg_pool", "pgbouncer", POSTGRES, go_away_for_a_while, None, innocent=False),
    ),
)


def open_shop(lane: tuple[Trouble, ...]) -> Kube:
    """A namespace with the databases of a lane, and without anything that would help."""
    kube = make_namespace(f"e2e-{uuid.uuid4().hex[:8]}")
    ways = {trouble.via for trouble in lane}
    db.start_postgres(kube)
    if "pgbouncer" in ways:
        db.start_pgbouncer(kube)
    if "mariadb" in ways:
        db.start_mariadb(kube)
    return kube


def close_shop(shop: Future[Kube]) -> None:
    """Remove it, if it was opened."""
    if shop.exception() is None:
        kube = shop.result()
        kube.run("delete", "namespace", kube.namespace, "--wait=false", "--ignore-not-found")


def suffer_in(shop: Future[Kube], trouble: Trouble) -> Outage:
    """Suffer where the lane has its shop."""
    return suffer(shop.result(), trouble)


def suffer(kube: Kube, trouble: Trouble) -> Outage:
    """All is well, the fault strikes and lasts or ends by itself, and what was committed is kept."""
    db.start_orders(kube, trouble.variant, trouble.via)
    if trouble.server == STANDBY:
        db.start_standby(kube)
    if not trouble.innocent:
        return endure(kube, trouble)
    with Bystander(kube, trouble.server):
        return endure(kube, trouble)


def endure(kube: Kube, trouble: Trouble) -> Outage:
    """What happens to the requests of the first seconds after the fault."""
    with Traffic(kube) as traffic:
        time.sleep(CALM)
        before = traffic.outage(0)
        assert before.failed == 0, [result for result in traffic.results if not result.ok][:3]
        since = time.time()
        try:
            trouble.fault(kube)
            first = traffic.wait_until_failing(since) if trouble.undo else 0.0
            time.sleep(LASTING)
            during = traffic.outage(since + first, since + first + LASTING)
        finally:
            undone = time.time()
            if trouble.undo:
                trouble.undo(kube)
        well = traffic.wait_until_well(undone)
        traffic.stop()
        check = db.ledger(kube, trouble.server, traffic)
    again = "not by itself" if during.recovered is None else f"after {during.recovered:.1f} s"
    print(
        f"\n{trouble.name}: from {first:.1f} s after the fault {during.failed} of {during.sent} failed in "
        f"{LASTING:.0f} s; well again {again}; {well:.1f} s after undoing it; {check}"
    )
    assert check.holds, check
    return during


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Outage]]]:
    """What comes of every trouble that was asked for; those of a lane one after the other, the lanes at once."""
    wanted = [item.callspec.params["trouble"] for item in request.session.items if item.path == request.path]
    found: dict[str, Future[Outage]] = {}
    with ExitStack() as stack:
        for lane in LANES:
            troubles = tuple(trouble for trouble in lane if trouble in wanted)
            if troubles:
                worker = ThreadPoolExecutor(1)
                shop = worker.submit(open_shop, troubles)
                stack.callback(close_shop, shop)
                stack.callback(worker.shutdown, wait=False, cancel_futures=True)
                found |= {trouble.name: worker.submit(suffer_in, shop, trouble) for trouble in troubles}
        yield found


@pytest.mark.parametrize("trouble", [trouble for lane in LANES for trouble in lane], ids=lambda trouble: trouble.name)
def test_the_app_serves_and_suffers_without_help(outcomes: Mapping[str, Future[Outage]], trouble: Trouble) -> None:
    during = outcomes[trouble.name].result()
    assert (during.recovered is None) == trouble.lasts, during
    assert not trouble.lasts or during.rate < 0.5, during
