"""The calls that operators have in their runbooks, as they are printed."""

from __future__ import annotations

import pytest

from tests.unit.rest.world import World
from ultra_recovery.apis.meta import RESET_ANNOTATION

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(FORM, id="as curl sends it"),
        pytest.param({}, id="no type"),
        pytest.param({"Content-Type": "text/x"}, id="any"),
    ],
)
async def test_a_reset_annotates_the_breaker_whatever_type_the_body_is_said_to_have(world: World, headers):
    key = world.breaker("openai")
    async with world.caller() as client:
        answer = await client.post(
            "/api/recovery/circuit-breaker/reset", content='{"service_name": "openai"}', headers=headers
        )
    assert answer.status_code == 202, answer.text
    assert answer.json()["state_before"] == "Open"
    assert world.stored(key)["metadata"]["annotations"][RESET_ANNOTATION] == answer.json()["reset_requested"]


async def test_a_trigger_starts_one_run_for_each_policy_that_knows_the_error(world: World):
    world.policy("custom-service")
    world.policy("other", targetRef={"kind": "Deployment", "name": "custom-service"})
    target = {"kind": "Deployment", "name": "custom-service"}
    world.policy("deaf", targetRef=target, triggers=[{"name": "pods", "podUnhealthy": {}}])
    context = '"context": {"additional": "recovery parameters"}'
    body = f'{{"error_type": "CUSTOM_ERROR", "service_name": "custom-service", {context}}}'
    async with world.caller() as client:
        answer = await client.post("/api/recovery/trigger", content=body, headers=FORM)
    assert answer.status_code == 202, answer.text
    assert [run["policy"] for run in answer.json()["runs"]] == ["custom-service", "other"]
    assert answer.headers["location"] == answer.json()["runs"][0]["location"]
    specs = [item["spec"] for item in world.runs()]
    assert {spec["cause"] for spec in specs} == {"Manual"}
    assert all(spec["context"] == {"additional": "recovery parameters"} for spec in specs)
    assert {(spec["requestedBy"], spec["requestId"]) for spec in specs} == {("all", answer.headers["x-request-id"])}


async def test_status_shows_breakers_and_runs(world: World):
    world.breaker("openai")
    world.run("custom-service-1-1")
    async with world.caller() as client:
        breakers = await client.get("/api/recovery/circuit-breaker/status")
        status = await client.get("/api/recovery/status")
    assert [(item["service_name"], item["state"]) for item in breakers.json()["items"]] == [("shop/openai", "Open")]
    assert breakers.json()["stale"] is False
    assert [item["name"] for item in status.json()["active"]] == ["custom-service-1-1"]


@pytest.mark.parametrize("path", ["/api/recovery/database/reconnect", "/api/recovery/cache/clear"])
@pytest.mark.parametrize("body", [b"", b"{}"], ids=["no body", "empty body"])
async def test_an_action_that_does_not_exist_is_never_pretended(world: World, path: str, body: bytes):
    async with world.caller() as client:
        answer = await client.post(path, content=body, headers=FORM)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:ultra-recovery:problem:action-missing"
    assert answer.json()["missing"]["action"] in answer.json()["detail"]
    assert world.writes() == 0


async def test_the_health_of_databases_is_that_of_the_breakers_with_the_label(world: World):
    world.breaker("orders-db", metadata={"labels": {"recovery.ultra.dev/dependency": "database"}})
    world.breaker("openai")
    async with world.caller() as client:
        answer = await client.get("/api/health/database")
    assert answer.status_code == 200
    assert [item["name"] for item in answer.json()["items"]] == ["orders-db"]
