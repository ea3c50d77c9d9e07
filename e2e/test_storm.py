"""A storm: many targets fall ill at once. Restarts are held, the repair of what they all need goes through."""

from __future__ import annotations

import pytest

from e2e.kube import Kube, wait_for
from e2e.records import (
    await_decision,
    await_end,
    await_run,
    blocked,
    decisions,
    effects,
    events_of,
    outcome,
    ready_pods,
    runs_of,
)
from e2e.small import apply, breaker, create, cron_job, job, policy, workload

APPS = [f"app-{number}" for number in range(5)]


@pytest.mark.failure(
    of="Dependency",
    what="Many targets fall ill at once",
    see="restarts are held with `Storm`; the repair of a dependency is let through",
    bound="5 targets or 40 % within 2 min; until 5 min after",
)
def test_a_storm_holds_restarts_and_lets_the_repair_of_the_dependency_through(empty: Kube, operator: Kube) -> None:
    needs = "http://stock/stock"
    create(empty, workload("stock"), *(workload(name, needs=needs) for name in (*APPS, "keeper")))
    apply(empty, breaker("stock"), cron_job("heal-stock", "exec python3 /repair.py http://stock/heal"))
    repair = job("repair", "heal-stock", **{"class": "DependencyRepair"}, breaker="stock")
    apply(empty, *(policy(name) for name in APPS))
    apply(empty, policy("keeper", ladder=[repair], verify={"healthyFor": "1s", "within": "10s"}))
    before = {name: empty.pods(name) for name in APPS}
    # The big red button first, so that nothing begins before all of them are ill.
    empty.run("annotate", "namespace", empty.namespace, "recovery.ultra.dev/paused=true")
    (stock,) = empty.pods("stock")
    empty.post(stock, "/spoil")
    for name in (*APPS, "keeper"):
        await_decision(empty, name, "NamespacePaused")
    empty.run("annotate", "namespace", empty.namespace, "recovery.ultra.dev/paused-")
    run = await_run(empty, "keeper")
    wait_for(lambda: any(blocked(empty, name) == "Storm" for name in APPS), "restarts are held")
    assert outcome(await_end(empty, run["metadata"]["name"])) == ("Succeeded", "Verified")
    wait_for(lambda: all(ready_pods(empty, name) == 1 for name in APPS), "all are ready again")
    assert {name: empty.pods(name) for name in APPS} == before
    assert not [effect for name in APPS for run in runs_of(empty, name) for effect in effects(run)]
    assert {(name, "Storm") for name in APPS} <= decisions(operator, empty.namespace)
    assert "Storm" in events_of(empty, APPS[0])
