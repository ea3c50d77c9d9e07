"""Reads: pages, entity tags, an API server that is away, and no request to it otherwise."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from tests.unit.rest.test_fuzz import DESCRIPTION
from tests.unit.rest.world import World
from ultra_recovery.apis.meta import APPROVE_ANNOTATION, CANCEL_ANNOTATION, REJECT_ANNOTATION, format_time
from ultra_recovery.rest.cache import BEAT, STALE_AFTER

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

READS = [
    "/api/recovery/circuit-breaker/status",
    "/api/recovery/status",
    "/api/recovery/dashboard",
    "/api/recovery/runs",
    "/api/recovery/runs/shop/web-1-1",
    "/api/recovery/runs/shop/web-1-1/report",
    "/api/health/database",
]


@pytest.mark.parametrize("path", READS)
async def test_a_read_costs_the_api_server_nothing_and_has_an_entity_tag(world: World, path: str):
    world.breaker()
    world.run()
    async with world.caller() as client:
        asked = len(world.api.requests)
        first = await client.get(path)
        second = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        world.store.change(world.run("other"), lambda item: item["status"].update({"phase": "Succeeded"}))
    assert (first.status_code, second.status_code, second.content) == (200, 304, b"")
    assert len(world.api.requests) == asked


@pytest.mark.parametrize("path", READS)
async def test_while_the_api_server_is_away_reads_go_on_and_say_how_old_they_are(world: World, path: str):
    world.breaker()
    world.run()
    async with world.caller() as client:
        fresh = await client.get(path)
        world.api.faults.outage = True
        await world.clock.sleep(STALE_AFTER + 5)
        stale = await client.get(path)
        ready = await client.get("/readyz")
    assert (fresh.json()["stale"], fresh.json()["age_seconds"]) == (False, None)
    assert (stale.status_code, stale.json()["stale"], stale.json()["age_seconds"]) == (200, True, STALE_AFTER + 5)
    assert (ready.status_code, "stale: true" in ready.text) == (200, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/recovery/circuit-breaker/reset", {"service_name": "openai"}),
        ("/api/recovery/trigger", {"service_name": "custom-service", "error_type": "CUSTOM_ERROR"}),
        ("/api/recovery/runs/shop/web-1-1/cancel", {}),
    ],
)
async def test_while_the_api_server_is_away_mutations_are_refused_with_retry_after(world: World, path: str, body: dict):
    world.breaker()
    world.policy()
    world.run(policyName="another")
    async with world.caller() as client:
        world.api.faults.outage = True
        answer = await client.post(path, json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"].endswith("cluster-unavailable")


async def test_the_cache_notices_an_outage_at_the_next_beat_and_its_end(world: World):
    cache = world.services.cache
    running = asyncio.ensure_future(cache.run())
    await world.clock.sleep(1)
    assert not cache.stale
    world.api.faults.outage = True
    await world.clock.sleep(BEAT)
    assert cache.stale
    world.api.faults.outage = False
    await world.clock.sleep(3)
    assert not cache.stale
    running.cancel()


async def test_pages_show_everything_once_in_a_stable_order(world: World):
    for number in range(25):
        world.breaker(f"b{number:02d}")
        world.run(f"r{number:02d}")
        await world.clock.sleep(1)
    for path, first in (("/api/recovery/circuit-breaker/status", "b00"), ("/api/recovery/runs", "r24")):
        names, place = [], ""
        async with world.caller() as client:
            while place is not None:
                query = f"&continue={place}" if place else ""
                page = (await client.get(f"{path}?limit=10{query}")).json()
                names += [item["name"] for item in page["items"]]
                place = page["continue"]
                if len(names) == 10 and path.endswith("runs"):
                    world.run("newer")
        assert (names[0], len(names), len(set(names))) == (first, 25, 25)
        assert page["total"] >= 25


async def test_runs_are_filtered_by_policy_phase_and_namespace(world: World):
    world.run("a", phase="Failed", policyName="x")
    world.run("b", phase="Failed", policyName="y")
    world.run("c", phase="Running", policyName="x", namespace="bank")
    async with world.caller() as client:

        async def names(query: str) -> list[str]:
            return sorted(item["name"] for item in (await client.get(f"/api/recovery/runs?{query}")).json()["items"])

        assert await names("policy=x") == ["a", "c"]
        assert await names("phase=Failed") == ["a", "b"]
        assert await names("namespace=bank") == ["c"]


async def test_a_run_that_the_cache_does_not_know_yet_is_read_from_the_cluster(world: World):
    world.store.watch_delay = None
    async with world.caller() as client:
        world.run("brand-new")
        found = await client.get("/api/recovery/runs/shop/brand-new")
        missing = await client.get("/api/recovery/runs/shop/nothing")
    assert (found.status_code, found.json()["run"]["name"]) == (200, "brand-new")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("word", "annotation"), [("approve", APPROVE_ANNOTATION), ("reject", REJECT_ANNOTATION)], ids=["approve", "reject"]
)
async def test_the_step_that_waits_is_approved_or_rejected(world: World, word: str, annotation: str):
    key = world.run(phase="AwaitingApproval")
    world.store.change(key, lambda item: item["status"].update({"currentStep": "restart"}))
    async with world.caller() as client:
        wrong = await client.post(f"/api/recovery/runs/shop/web-1-1/{word}", json={"step": "other"})
        right = await client.post(f"/api/recovery/runs/shop/web-1-1/{word}")
    assert (wrong.status_code, right.status_code, right.json()["step"]) == (409, 202, "restart")
    assert world.stored(key)["metadata"]["annotations"] == {annotation: "restart"}


async def test_only_a_run_that_goes_on_is_cancelled(world: World):
    key = world.run()
    world.run("done", phase="Succeeded")
    async with world.caller() as client:
        assert (await client.post("/api/recovery/runs/shop/done/cancel")).status_code == 409
        assert (await client.post("/api/recovery/runs/shop/web-1-1/cancel")).status_code == 202
    assert CANCEL_ANNOTATION in world.stored(key)["metadata"]["annotations"]


async def test_the_dashboard_counts_what_exists(world: World):
    now = format_time(world.clock.now())
    world.breaker("openai", consecutiveFailures=5)
    world.breaker("fine", state="Closed")
    key = world.run("good", phase="Succeeded")
    step = {"name": "restart", "state": "Done", "effectCount": 1}
    times = {"faultObservedAt": now, "recoveredAt": now, "steps": [step]}
    world.store.change(key, lambda item: item["status"].update(times))
    world.run("bad", phase="Failed")
    world.run("rehearsed", phase="Succeeded", dryRun=True)
    async with world.caller() as client:
        board = (await client.get("/api/recovery/dashboard")).json()
    assert board["status"]["overall"] == "Unhealthy"
    assert board["status"]["breakers"] == {"Closed": 1, "Open": 1, "HalfOpen": 0, "Unknown": 0}
    assert {alert["name"] for alert in board["alerts"]} == {"CircuitOpen", "ConsecutiveFailures"}
    assert [run["name"] for run in board["recent_failures"]] == ["bad"]
    hour = board["trends"]["1h"]
    assert (hour["runs"], hour["attempts"], hour["succeeded"], hour["failed"], hour["success_rate"]) == (
        2,
        1,
        1,
        1,
        0.5,
    )
    assert (hour["seconds_to_recover"]["median"], hour["circuit_openings"]) == (0, 1)


async def test_one_mutation_is_one_audit_line_that_names_who_what_and_why(world: World, caplog):
    world.breaker()
    caplog.set_level(logging.INFO, "ultra_recovery.audit")
    async with world.caller() as client:
        body = {"service_name": "openai", "reason": "ticket 4711"}
        answer = await client.post("/api/recovery/circuit-breaker/reset", json=body, headers={"X-Request-Id": "req-1"})
        await client.get("/api/recovery/status")
    (line,) = [record for record in caplog.records if record.name == "ultra_recovery.audit"]
    told = {name: line.__dict__[name] for name in ("who", "action", "target", "why", "result", "request_id")}
    assert told == {
        "who": "all",
        "action": "reset",
        "target": "circuit-breaker/shop/openai",
        "why": "ticket 4711",
        "result": "done",
        "request_id": "req-1",
    }
    assert line.__dict__["before"]["state"] == "Open"
    assert line.__dict__["after"]["annotation"] == answer.json()["reset_requested"]
    assert answer.json()["reset_requested"].endswith("/request.req-1")
    assert answer.headers["x-request-id"] == "req-1"


async def test_callers_cannot_make_metric_labels(world: World):
    world.run()
    async with world.caller() as client:
        for number in range(30):
            await client.get(f"/nowhere/{number}")
            await client.get(f"/api/recovery/runs/shop/x{number}")
        text = (await client.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("recovery_rest_requests_total")]
    assert len(lines) == 2
    assert any('route="/api/recovery/runs/{namespace}/{name}"' in line for line in lines)


async def test_the_description_is_served_as_it_is_committed(world: World):
    async with world.caller() as client:
        served = (await client.get("/openapi.json")).json()
    assert served == json.loads(DESCRIPTION.read_text())
