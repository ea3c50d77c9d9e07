"""What is said of databases, as targets, in triggers and in steps, and what the API server answers to wrong words."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.integration.manifests.rows import GONE, Bad, Good

bad_target, good_target = partial(Bad, "CircuitBreaker", "target"), partial(Good, "CircuitBreaker", "target")
bad_policy, good_policy = partial(Bad, "RecoveryPolicy"), partial(Good, "RecoveryPolicy")
SERVICE = {"name": "orders-db", "port": 5432}
PG, MY, POOLER = "spec.target.postgres", "spec.target.mysql", "spec.target.postgres.pooler"
TRIGGER, ACTION = "spec.triggers[0].databasePool", "spec.ladder[0].action"
REFRESH = f"{ACTION}.refreshPool"
ONE_PLACE = "set exactly one of serviceRef (a Service of this namespace) and address"
PODS = {"matchLabels": {"app": "pgbouncer"}}
ACTIONS = ("reconnectDatabase", "refreshPool", "closeStaleConnections", "endLongQueries", "raisePoolSize")


def server(kind: str = "postgres", **fields: object) -> dict[str, Any]:
    """A target with a right server, fields of which may be changed or left out."""
    full = {
        "serviceRef": SERVICE,
        "database": "orders",
        "credentialsSecretRef": {"name": "probe"},
        **fields,
    }
    return {kind: {name: value for name, value in full.items() if value is not GONE}}


def pooler(**fields: object) -> dict[str, Any]:
    """A target with PgBouncer in front of it."""
    full = {"serviceRef": SERVICE, "adminSecretRef": {"name": "console"}, **fields}
    return server(pooler={name: value for name, value in full.items() if value is not GONE})


def pool(**conditions: object) -> list[dict[str, Any]]:
    """Triggers that go by the figures of a database."""
    full = {"breaker": "orders-db", "freeBelow": 3, **conditions}
    return [{"name": "pool", "databasePool": {name: value for name, value in full.items() if value is not GONE}}]


def step(action: str, timeout: str = "10s", **fields: object) -> list[dict[str, Any]]:
    """A ladder of one step on a database."""
    full = {"breaker": "orders-db", **fields}
    kept = {name: value for name, value in full.items() if value is not GONE}
    return [{"name": "repair", "action": {action: kept}, "timeout": timeout}]


def refresh(**fields: object) -> list[dict[str, Any]]:
    """A ladder that refreshes a pool."""
    return step("refreshPool", **fields)


BAD = [
    bad_target({**server(), **server("mysql")}, "spec.target", "set exactly one target"),
    bad_target(server(serviceRef=GONE), PG, ONE_PLACE),
    bad_target(server("mysql", address="db.example.com:3306"), MY, ONE_PLACE),
    bad_target(server(serviceRef=GONE, address="db.example.com"), f"{PG}.address", "must be host:port"),
    bad_target(server(serviceRef=GONE, address="db:70000"), f"{PG}.address", "must be host:port"),
    bad_target(server(serviceRef=GONE, address="postgres://db:1"), f"{PG}.address", "must be host:port"),
    bad_target(server(database=GONE), f"{PG}.database", "Required value"),
    bad_target(server(database=""), f"{PG}.database", "should be at least 1 chars long"),
    bad_target(server(database="d" * 64), f"{PG}.database", "may not be more than 63"),
    bad_target(server(credentialsSecretRef=GONE), f"{PG}.credentialsSecretRef", "Required value"),
    bad_target(server(credentialsSecretRef={}), f"{PG}.credentialsSecretRef.name", "Required value"),
    bad_target(server(credentialsSecretRef={"name": "No"}), f"{PG}.credentialsSecretRef.name", "lower-case letters"),
    bad_target(
        server(credentialsSecretRef={"name": "a", "namespace": "b"}),
        "spec.target.postgres.credentialsSecretRef.namespace",
        "unknown field",
    ),
    bad_target(server(password="secret"), f"{PG}.password", "unknown field"),
    bad_target(server(tls={"mode": "verify"}), f"{PG}.tls.mode", "supported values"),
    bad_target(server(tls={"serverName": "https://db"}), f"{PG}.tls.serverName", "must be a host name"),
    bad_target(server(reconnect={"attempts": 0}), f"{PG}.reconnect.attempts", "greater than or equal to 1"),
    bad_target(server(reconnect={"attempts": 21}), f"{PG}.reconnect.attempts", "less than or equal to 20"),
    bad_target(server(reconnect={"delay": "0s"}), f"{PG}.reconnect.delay", "must be a duration from 1s to 1h"),
    bad_target(server(reconnect={"backoff": "Linear"}), f"{PG}.reconnect.backoff", "supported values"),
    bad_target(server(writable="yes"), f"{PG}.writable", "must be of type boolean"),
    bad_target(server(appUser=""), f"{PG}.appUser", "should be at least 1 chars long"),
    bad_target(server("mysql", pooler={}), f"{MY}.pooler", "unknown field"),
    bad_target(pooler(serviceRef=GONE), POOLER, "set exactly one of serviceRef (all of its ready pods)"),
    bad_target(pooler(podSelector=PODS), POOLER, "set exactly one of serviceRef"),
    bad_target(pooler(adminSecretRef=GONE), f"{POOLER}.adminSecretRef", "Required value"),
    bad_target(
        pooler(serviceRef=GONE, podSelector={"matchLabels": {}}),
        f"{POOLER}.podSelector.matchLabels",
        "should have at least 1 properties",
    ),
    bad_target(
        pooler(serviceRef=GONE, podSelector={"matchLabels": {"app": "a b"}}),
        f"{POOLER}.podSelector.matchLabels[app]",
        "must be the value of a label",
    ),
    bad_policy("triggers", pool(freeBelow=GONE), TRIGGER, "set at least one of freeBelow, waitingClients"),
    bad_policy("triggers", pool(breaker=GONE), f"{TRIGGER}.breaker", "Required value"),
    bad_policy("triggers", pool(freeBelow=0), f"{TRIGGER}.freeBelow", "greater than or equal to 1"),
    bad_policy("triggers", pool(waitingClients="many"), f"{TRIGGER}.waitingClients", "must be of type integer"),
    bad_policy("triggers", pool(longQuery="0s"), f"{TRIGGER}.longQuery", "must be a duration from 1s to 24h"),
    bad_policy("triggers", pool(idleInTransaction="1w"), f"{TRIGGER}.idleInTransaction", "must be a duration from"),
    bad_policy("triggers", pool(blockedSessions=10001), f"{TRIGGER}.blockedSessions", "less than or equal to 10000"),
    *(bad_policy("ladder", step(name, breaker=GONE), f"{ACTION}.{name}.breaker", "Required value") for name in ACTIONS),
    bad_policy("ladder", refresh(maxSessions=0), f"{REFRESH}.maxSessions", "greater than or equal to 1"),
    bad_policy("ladder", refresh(maxSessions=501), f"{REFRESH}.maxSessions", "less than or equal to 500"),
    bad_policy("ladder", refresh(denyApplications=[""]), f"{REFRESH}.denyApplications[0]", "at least 1 char"),
    bad_policy("ladder", refresh(allowApplications=["a"] * 17), f"{REFRESH}.allowApplications", "at most 16"),
    bad_policy("ladder", refresh(hook={"path": "/p"}), f"{REFRESH}.hook.serviceRef", "Required value"),
    bad_policy(
        "ladder",
        refresh(hook={"serviceRef": SERVICE, "path": "p"}),
        f"{REFRESH}.hook.path",
        "start with '/'",
    ),
    bad_policy("ladder", step("raisePoolSize", by="200%"), f"{ACTION}.raisePoolSize.by", "percentage"),
    bad_policy("ladder", step("raisePoolSize", atMost=0), f"{ACTION}.raisePoolSize.atMost", "greater than or equal"),
    bad_policy("ladder", step("endLongQueries", grace="2h"), f"{ACTION}.endLongQueries.grace", "from 1s to 1h"),
    bad_policy("ladder", step("endLongQueries", hook={}), f"{ACTION}.endLongQueries.hook", "unknown field"),
    bad_policy("ladder", step("reconnectDatabase", timeout="150s"), "spec.limits.timeout", "the timeout twice"),
    bad_policy(
        "dependencies",
        [{"breaker": "orders-db", "pool": {"size": 0}}],
        "spec.dependencies[0].pool.size",
        "greater than or equal to 1",
    ),
]

GOOD = [
    good_target(server()),
    good_target(server("mysql")),
    good_target(server(serviceRef=GONE, address="[2001:db8::1]:5432")),
    good_target(server(database='o"; DROP DATABASE')),
    good_target(server(tls={"mode": "VerifyFull", "serverName": "orders-db.example.com"})),
    good_target(server(appUser="orders", recoverySecretRef={"name": "recovery"}, writable=False)),
    good_target(server(reconnect={"attempts": 20, "delay": "1h", "backoff": "Exponential"})),
    good_target(pooler()),
    good_target(pooler(serviceRef=GONE, podSelector={**PODS, "port": 6432}, database="orders")),
    good_policy("triggers", pool()),
    good_policy("triggers", pool(waitingClients=1, idleInTransaction="30s", longQuery="24h", blockedSessions=1)),
    *(good_policy("ladder", step(name)) for name in ACTIONS),
    good_policy("ladder", refresh(hook={"serviceRef": SERVICE, "path": "/pool/refresh"}, idleFor="10m")),
    good_policy("ladder", refresh(allowApplications=["orders-*"], denyApplications=["migrate*"], maxSessions=500)),
    good_policy("dependencies", [{"breaker": "orders-db", "pool": {"size": 10, "maxOverflow": 0, "recycle": "1h"}}]),
]
