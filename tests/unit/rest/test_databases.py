"""Databases in the API: connecting again, and their health with figures."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rest.world import World
from ultra_recovery.core.objects import Key

pytestmark = pytest.mark.asyncio

RECONNECT = "/api/recovery/database/reconnect"
POSTGRES = {
    "postgres": {
        "serviceRef": {"name": "orders-db", "port": 5432},
        "database": "orders",
        "credentialsSecretRef": {"name": "probe"},
    }
}
POOL = {
    "at": "2026-01-01T00:00:00Z",
    "limit": 25,
    "used": 20,
    "free": 5,
    "idleInTransaction": 2,
    "oldestIdleSeconds": 40,
    "longestTransactionSeconds": 50,
    "longestQuerySeconds": 3,
    "waiting": 4,
    "blocked": 1,
    "blind": False,
    "pooler": {"replicas": 2, "unreachable": 1},
}


def step(name: str, action: str, breaker: str) -> dict[str, Any]:
    return {"name": name, "action": {action: {"breaker": breaker}}}


def furnish(world: World) -> None:
    restart = {"name": "restart", "action": {"restartPods": {}}}
    reconnect, refresh = (
        step("reconnect", "reconnectDatabase", "orders-db"),
        step("refresh", "refreshPool", "orders-db"),
    )
    world.breaker("orders-db", target=POSTGRES)
    world.breaker("users-db", target=POSTGRES)
    world.policy("orders", ladder=[reconnect, restart, refresh])
    world.policy("users", ladder=[step("end", "endLongQueries", "users-db"), restart])
    world.policy("plain", ladder=[restart])
    world.policy("far", namespace="far", ladder=[reconnect])


def asked(world: World) -> dict[str, Any]:
    """The runs that exist, by namespace and policy, with their steps."""
    return {
        f"{item['metadata']['namespace']}/{item['spec']['policyName']}": item["spec"]["steps"] for item in world.runs()
    }


@pytest.mark.parametrize(
    ("caller", "body", "runs"),
    [
        pytest.param(
            "all",
            {},
            {"far/far": ["reconnect"], "shop/orders": ["reconnect", "refresh"], "shop/users": ["end"]},
            id="everything in scope",
        ),
        pytest.param("shop", {}, {"shop/orders": ["reconnect", "refresh"], "shop/users": ["end"]}, id="of a namespace"),
        pytest.param(
            "all", {"service_name": "shop/orders-db"}, {"shop/orders": ["reconnect", "refresh"]}, id="one database"
        ),
        pytest.param("all", {"service_name": "users-db"}, {"shop/users": ["end"]}, id="one database by its bare name"),
    ],
)
async def test_reconnecting_starts_a_run_of_the_database_steps_of_every_policy_in_scope(
    world: World, caller: str, body: dict[str, str], runs: dict[str, list[str]]
):
    furnish(world)
    async with world.caller(caller) as client:
        answer = await client.post(RECONNECT, json=body)
    assert answer.status_code == 202, answer.text
    assert asked(world) == runs
    assert answer.headers["location"] == answer.json()["runs"][0]["location"]
    assert {item["spec"]["cause"] for item in world.runs()} == {"Manual"}
    assert all("errorType" not in item["spec"] for item in world.runs())


async def test_a_run_that_is_at_work_is_joined_and_a_repeated_request_finds_its_run(world: World):
    furnish(world)
    headers = {"Idempotency-Key": "4711"}
    async with world.caller() as client:
        first = await client.post(RECONNECT, json={"service_name": "orders-db"}, headers=headers)
        again = await client.post(RECONNECT, json={"service_name": "orders-db"}, headers=headers)
        other = await client.post(RECONNECT, json={"service_name": "users-db"}, headers=headers)
        joined = await client.post(RECONNECT, json={"service_name": "orders-db"})
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert again.json()["runs"][0]["replayed"]
    assert joined.json()["runs"][0]["joined"]
    assert len(world.runs()) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"service_name": "openai"}, 422, id="no database"),
        pytest.param({"service_name": "orders-dc"}, 404, id="unknown"),
        pytest.param({"service_name": 1}, 422, id="no name"),
    ],
)
async def test_what_is_no_database_starts_nothing_and_says_what_to_do(world: World, body: dict[str, Any], code: int):
    furnish(world)
    world.breaker("openai")
    async with world.caller() as client:
        answer = await client.post(RECONNECT, json=body)
    assert answer.status_code == code
    assert not world.runs()
    assert answer.json()["detail"]


async def test_the_health_of_databases_has_their_pools(world: World):
    world.breaker("orders-db", target=POSTGRES, pool=POOL)
    world.breaker("labelled", metadata={"labels": {"recovery.ultra.dev/dependency": "database"}})
    world.breaker("openai")
    async with world.caller() as client:
        answer = (await client.get("/api/health/database")).json()
    assert [item["name"] for item in answer["items"]] == ["labelled", "orders-db"]
    (pool,) = answer["pools"]
    assert (pool["service_name"], pool["size"], pool["used"], pool["free"]) == ("shop/orders-db", 25, 20, 5)
    assert (pool["waiting"], pool["pooler_replicas"], pool["pooler_unreachable"]) == (4, 2, 1)


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        pytest.param({"blind": True}, {"idle_in_transaction", "blocked"}, id="blind"),
        pytest.param({"blind": True, "limit": 0, "pooler": None}, {"size", "used", "free", "waiting"}, id="nothing"),
    ],
)
async def test_what_a_probe_could_not_see_is_null(world: World, change: dict[str, Any], unknown: set[str]):
    pool = {key: value for key, value in {**POOL, **change}.items() if value is not None}
    key: Key = world.breaker("orders-db", target=POSTGRES, pool=pool)
    async with world.caller() as client:
        answer = (await client.get("/api/health/database")).json()
    assert answer["pools"][0]["service_name"] == f"shop/{key.name}"
    assert {name for name in unknown if answer["pools"][0][name] is not None} == set()
