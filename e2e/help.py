"""What watches and mends a shop: examples/databases/recovery.yaml, cut to what a scenario needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from e2e.databases import MARIADB, POSTGRES, Server
from e2e.install import read
from e2e.kube import Kube, condition, status, wait_for

Document = dict[str, Any]
WRITES = "orders-writes"
"""The breaker that asks the app itself whether it can write."""
POOLER = {"serviceRef": {"name": "pgbouncer", "port": 6432}, "adminSecretRef": {"name": "pgbouncer-admin"}}


def watch(kube: Kube, server: Server, *, pooler: bool) -> None:
    """Start the breakers of a server and of the app's writes, and wait until they are healthy."""
    documents = _documents(server)
    role = next(item for item in documents if item["kind"] == "Role")
    breaker = _breaker(documents)
    target = breaker["spec"]["target"]
    # What is frozen or away for good shall not make a test wait for long.
    next(iter(target.values()))["reconnect"] = {"attempts": 4, "delay": "2s"}
    if pooler:
        role["rules"][0]["resourceNames"].append("pgbouncer-admin")
        target["postgres"]["pooler"] = POOLER
    breakers = [item for item in documents if item["kind"] == "CircuitBreaker"]
    # The grant first, so that nothing is refused in between.
    kube.apply(yaml.safe_dump_all([item for item in documents if item["kind"] in ("Role", "RoleBinding")]))
    kube.apply(yaml.safe_dump_all(breakers))
    for item in breakers:
        await_health(kube, item["metadata"]["name"])


def await_health(kube: Kube, breaker: str) -> None:
    """Wait until a breaker is closed and its last probe was good."""

    def look() -> bool:
        found = kube.find("cb", breaker)
        healthy = condition(found, "TargetHealthy").get("status") == "True"
        return healthy and status(found).get("state") == "Closed"

    wait_for(look, f"breaker {breaker} is healthy", instead=lambda: status(kube.find("cb", breaker)))


def enforce(kube: Kube, name: str, server: Server, steps: Sequence[str]) -> None:
    """Start the example's policy under another name, with some of its steps, and wait until it is enforced.

    Args:
        kube: where.
        name: of the policy.
        server: the database.
        steps: names of the steps that stay in the ladder.
    """
    policy = next(item for item in _documents(server) if item["kind"] == "RecoveryPolicy")
    policy["metadata"]["name"] = name
    spec = policy["spec"]
    spec["ladder"] = [step for step in spec["ladder"] if step["name"] in steps]
    # The scenarios of a lane strike the same workload within minutes.
    spec["limits"]["budget"] = {"runs": 60}
    kube.apply(yaml.safe_dump(policy))
    wait_for(
        lambda: condition(kube.find("rp", name), "Ready").get("status") == "True",
        f"policy {name} is enforced",
        instead=lambda: status(kube.find("rp", name)),
    )


def dismiss(kube: Kube, name: str) -> None:
    """Remove a policy and its runs."""
    kube.run("delete", "rp", name, "--ignore-not-found", "--wait=false")


def _documents(server: Server) -> list[Document]:
    text = read("examples/databases/recovery.yaml")
    if server == MARIADB:
        for old, new in ((POSTGRES.name, MARIADB.name), ("postgres:", "mysql:"), ("port: 5432", "port: 3306")):
            assert old in text, old
            text = text.replace(old, new)
    return list(yaml.safe_load_all(text))


def _breaker(documents: list[Document]) -> Document:
    return next(item for item in documents if item["kind"] == "CircuitBreaker" and item["metadata"]["name"] != WRITES)
