"""A key stands for one request, also after a restart, and resets and runs happen once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.rest.world import World, token
from ultra_recovery.adapters.memory import MemoryApi, Moment
from ultra_recovery.apis.meta import IDEMPOTENCY_ANNOTATION, RESET_ANNOTATION
from ultra_recovery.rest.app import build_application
from ultra_recovery.rest.assembly import build_services

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

TRIGGER = "/api/recovery/trigger"
RESET = "/api/recovery/circuit-breaker/reset"
BODY = {"error_type": "CUSTOM_ERROR", "service_name": "custom-service"}
KEY = {"Idempotency-Key": "ticket-4711"}


async def post(
    world: World, path: str, body: dict[str, Any], headers: dict[str, str], name: str = "all"
) -> httpx.Response:
    async with world.caller(name) as client:
        return await client.post(path, json=body, headers=headers)


def restarted(world: World) -> None:
    """Another process of the API, which remembers nothing."""
    services = build_services(
        MemoryApi(world.clock, world.store), world.api, world.services.door, world.clock, world.metrics
    )
    world.services = services
    world.application = build_application(services, world.metrics.render)
    world.store.subscribe(services.cache.feed)


async def test_the_same_key_and_body_give_the_same_run_also_after_a_restart(world: World):
    world.policy()
    first = await post(world, TRIGGER, BODY, KEY)
    restarted(world)
    second = await post(world, TRIGGER, BODY, KEY)
    (run,) = world.runs()
    names = [answer.json()["runs"][0]["name"] for answer in (first, second)]
    assert names == [run["metadata"]["name"]] * 2
    assert [answer.json()["runs"][0]["replayed"] for answer in (first, second)] == [False, True]
    assert run["metadata"]["annotations"][IDEMPOTENCY_ANNOTATION]


async def test_the_same_run_is_found_when_the_cache_has_not_seen_it_yet(world: World):
    world.policy()
    await post(world, TRIGGER, BODY, KEY)
    restarted(world)
    world.store.watch_delay = None
    world.services.cache.table.__init__()  # type: ignore[misc]
    await world.sync()
    answer = await post(world, TRIGGER, BODY, KEY)
    assert (answer.status_code, len(world.runs())) == (202, 1)


async def test_the_same_key_with_another_body_is_refused(world: World):
    world.policy()
    world.policy("other")
    await post(world, TRIGGER, BODY, KEY)
    for change in ({"context": {"a": "b"}}, {"service_name": "other"}):
        answer = await post(world, TRIGGER, {**BODY, **change}, KEY)
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("idempotency-key-reused")
    assert len(world.runs()) == 1


async def test_keys_of_different_callers_never_meet(world: World):
    world.policy()
    first = await post(world, TRIGGER, {**BODY, "dry_run": True}, KEY, "person")
    second = await post(world, TRIGGER, BODY, KEY, "all")
    assert (first.status_code, second.status_code, len(world.runs())) == (202, 202, 2)


async def test_while_a_key_is_being_answered_it_is_refused(world: World):
    world.policy()
    await world.sync()
    world.api.latency = 1.0
    transport = httpx.ASGITransport(world.application)
    headers = {"Authorization": f"Bearer {token('all')}", **KEY}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        answers = await asyncio.gather(client.post(TRIGGER, json=BODY), client.post(TRIGGER, json=BODY))
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    assert len(world.runs()) == 1


async def test_an_answer_that_was_lost_is_found_by_the_same_key(world: World):
    world.policy()
    world.store.watch_delay = None
    world.api.faults.fail_at(1, Moment.AFTER)
    lost = await post(world, TRIGGER, BODY, KEY)
    assert (lost.status_code, lost.headers["retry-after"]) == (503, "5")
    again = await post(world, TRIGGER, BODY, KEY)
    assert (again.status_code, len(world.runs())) == (202, 1)
    assert again.json()["runs"][0]["replayed"] is True


async def test_a_run_that_goes_on_is_joined_and_the_key_goes_on_meaning_it(world: World):
    world.policy()
    key = world.run("custom-service-7-1", cause="Trigger", incident=7, sequence=1, attempt=1, triggers=["reported"])
    first = await post(world, TRIGGER, BODY, KEY)
    assert (first.json()["runs"][0]["name"], first.json()["runs"][0]["joined"]) == ("custom-service-7-1", True)
    world.store.change(key, lambda item: item["status"].update({"phase": "Succeeded"}))
    restarted(world)
    second = await post(world, TRIGGER, BODY, KEY)
    assert second.json()["runs"][0]["name"] == "custom-service-7-1"
    assert len(world.runs()) == 1


async def test_without_a_key_every_call_starts_a_run_once_the_last_has_ended(world: World):
    world.policy()
    for _ in range(2):
        await post(world, TRIGGER, BODY, {})
        for item in world.runs():
            item["status"] = {"phase": "Succeeded"}
        restarted(world)
    assert len(world.runs()) == 2


async def test_a_report_starts_a_run_of_its_own_each_time_so_that_it_counts(world: World):
    world.policy()
    for _ in range(3):
        assert (await post(world, TRIGGER, BODY, {}, "only-report")).status_code == 202
    assert [item["spec"]["cause"] for item in world.runs()] == ["Reported"] * 3


async def test_a_reset_with_a_key_is_written_once(world: World):
    key = world.breaker()
    first = await post(world, RESET, {"service_name": "openai"}, KEY)
    restarted(world)
    second = await post(world, RESET, {"service_name": "shop/openai"}, KEY)
    assert first.json()["reset_requested"] == second.json()["reset_requested"]
    assert (first.json()["replayed"], second.json()["replayed"]) == (False, True)
    assert world.stored(key)["metadata"]["annotations"][RESET_ANNOTATION] == first.json()["reset_requested"]


async def test_a_key_of_a_reset_is_not_good_for_another_breaker(world: World):
    world.breaker()
    world.breaker("claude")
    await post(world, RESET, {"service_name": "openai"}, KEY)
    answer = await post(world, RESET, {"service_name": "claude"}, KEY)
    assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[1]) == (422, "idempotency-key-reused")


async def test_two_resets_without_a_key_are_two(world: World):
    world.breaker()
    values = {(await post(world, RESET, {"service_name": "openai"}, {})).json()["reset_requested"] for _ in range(2)}
    assert len(values) == 2


async def test_an_override_and_an_unseen_breaker_are_not_reset(world: World, tmp_path: Path):
    world.breaker("held", spec={"override": {"state": "ForcedOpen", "reason": "migration"}})
    world.breaker("new", state=None)
    held = await post(world, RESET, {"service_name": "held"}, {})
    new = await post(world, RESET, {"service_name": "new"}, {})
    assert (held.status_code, "migration" in held.json()["detail"]) == (409, True)
    assert (new.status_code, new.json()["type"].rsplit(":", 1)[1]) == (409, "not-enforced-yet")
    assert world.writes() == 0
