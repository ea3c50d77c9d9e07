"""Act 4: an app forgets its transactions until its pool is used up; they are ended, and its orders are kept again."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime

from e2e import database_faults as faults
from e2e import databases as db
from e2e.databases import POSTGRES
from e2e.demo.hung_replica import moments
from e2e.demo.timeline import Moment, Show
from e2e.install import make_namespace, read
from e2e.kube import Kube, condition, status, wait_for
from e2e.traffic import STEADY, Traffic

NAMESPACE = "ultra-demo-orders"
PATIENCE = 1.0
CALM = 2.0
END = 90.0
RATE = 10.0
POLICY = "orders"


def open_shop() -> Kube:
    """A database and an app that keeps orders in it, in a namespace of its own."""
    Kube(NAMESPACE).run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    kube = make_namespace(NAMESPACE)
    db.start_postgres(kube)
    db.start_orders(kube, "sqlalchemy", "postgres")
    return kube


def pool_used_up(kube: Kube, show: Show) -> list[str]:
    """Show the act; what was not as it should be."""
    kube.apply(read("examples/databases/recovery.yaml"))
    wait_for(lambda: _is_watched(kube), "the database is watched")
    with Traffic(kube, rate=RATE, patience=PATIENCE) as traffic:
        time.sleep(CALM)
        show.begin("Act 4: orders forgets its transactions, open and idle, until its pool is used up")
        since = time.time()
        faults.leak_connections(kube)
        show.line(None, "fault: 6 connections of 6 are leaked in each of 2 replicas")
        ended = show.follow(
            lambda: [*_seconds(traffic, since), *_run(kube)], lambda: _is_over(kube, traffic, since), END
        )
        traffic.stop()
        recovered = traffic.outage(since).recovered
        check = db.ledger(kube, POSTGRES, traffic)
    if not ended or recovered is None:
        return ["orders should have recovered"]
    show.say(f"time to recover {recovered:.2f} s (fault → the first of the orders that are all kept)")
    show.say(f"{check.acknowledged} orders were acknowledged: {len(check.missing)} lost, {len(check.repeated)} doubled")
    return [] if check.holds else [f"the ledger does not hold: {check}"]


def _is_watched(kube: Kube) -> bool:
    healthy = all(condition(item, "TargetHealthy").get("status") == "True" for item in kube.list("cb"))
    return healthy and condition(kube.get("rp", POLICY), "Ready").get("status") == "True"


def _seconds(traffic: Traffic, since: float) -> list[Moment]:
    """How many of the orders of each second were kept; those whose fate is known."""
    fates: dict[int, list[bool]] = defaultdict(list)
    for result in traffic.results:
        if since <= result.at < time.time() - PATIENCE - 1:
            fates[int(result.at - since)].append(result.ok)
    return [
        (
            datetime.fromtimestamp(since + second, UTC).isoformat(),
            f"orders kept: {'█' * round(10 * sum(found) / len(found)):10} {100 * sum(found) / len(found):3.0f} %",
        )
        for second, found in sorted(fates.items())
    ]


def _run(kube: Kube) -> list[Moment]:
    run = next(iter(kube.list("rr")), None)
    if run is None:
        return []
    return moments(run["metadata"]["name"], status(run), "sessions idle in a transaction")


def _is_over(kube: Kube, traffic: Traffic, since: float) -> bool:
    found = traffic.outage(since)
    well = found.failed > 0 and found.recovered is not None and time.time() > since + found.recovered + STEADY
    return well and any("finishedAt" in status(run) for run in kube.list("rr"))
