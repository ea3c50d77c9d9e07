"""Breakers that are fed by reports: what is counted, what is written and when, and who gets the trial."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.unit.rest.world import EXTERNAL, World
from ultra_recovery.apis.meta import format_time
from ultra_recovery.core.objects import Key
from ultra_recovery.rest.reporters import MOST_REPORTERS, reporter_name

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BASE = "/api/recovery/circuit-breaker"


async def report(world: World, outcome: str = "failure", caller: str = "all", **more: Any) -> dict[str, Any]:
    async with world.caller(caller) as client:
        answer = await client.post(f"{BASE}/report", json={"service_name": "openai", "outcome": outcome, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def trial(world: World, caller: str = "all", **more: Any) -> dict[str, Any]:
    async with world.caller(caller) as client:
        answer = await client.post(f"{BASE}/trial", json={"service_name": "openai", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def reporters(world: World, key: Key) -> list[dict[str, Any]]:
    return world.stored(key)["status"].get("reporters", [])


def reports_written(world: World) -> int:
    return sum(request.verb == "apply" for request in world.api.requests)


async def test_the_first_report_is_written_at_once_and_belongs_to_its_caller(world: World):
    key = world.breaker(target=EXTERNAL, state="Closed")
    answer = await report(world, message="HTTP 503")
    (entry,) = reporters(world, key)
    assert (answer["accepted"], answer["reporter"], answer["consecutive_failures"]) == (True, "all", 1)
    assert entry == {
        "name": "all",
        "epoch": 4,
        "consecutiveFailures": 1,
        "consecutiveSuccesses": 0,
        "lastOutcome": "Failure",
        "message": "HTTP 503",
        "changedAt": format_time(world.clock.now()),
        "reportedAt": format_time(world.clock.now()),
    }


async def test_failures_are_counted_for_each_caller_alone(world: World):
    key = world.breaker(target=EXTERNAL, state="Closed")
    await report(world, count=3)
    await report(world, caller="only-report")
    assert {item["name"]: item["consecutiveFailures"] for item in reporters(world, key)} == {"all": 3, "only-report": 1}


async def test_one_entry_is_written_at_most_once_a_second_and_nothing_is_lost(world: World):
    key = world.breaker(target=EXTERNAL, state="Closed", consecutiveFailures=0)
    flushing = asyncio.ensure_future(world.services.reporters.run())
    for _ in range(4):
        await report(world)
    assert reports_written(world) == 1
    await world.clock.sleep(2.5)
    assert (reports_written(world), reporters(world, key)[0]["consecutiveFailures"]) == (2, 4)
    await world.clock.sleep(30)
    assert reports_written(world) == 2
    flushing.cancel()


async def test_a_caller_that_stays_healthy_is_written_once(world: World):
    world.breaker(target=EXTERNAL, state="Closed")
    for _ in range(50):
        await report(world, "success")
        await world.clock.sleep(5)
    assert reports_written(world) == 1


async def test_a_caller_that_is_not_healthy_is_written_every_thirty_seconds_and_never_without_a_report(world: World):
    world.breaker(target=EXTERNAL, state="Open")
    flushing = asyncio.ensure_future(world.services.reporters.run())
    for _ in range(13):
        await report(world)
        await world.clock.sleep(5)
    assert reports_written(world) == 3
    await world.clock.sleep(300)
    assert reports_written(world) == 3
    flushing.cancel()


async def test_calls_of_an_earlier_epoch_are_dropped(world: World):
    world.breaker(target=EXTERNAL, state="Closed")
    answer = await report(world, epoch=3)
    assert (answer["accepted"], answer["reason"], reports_written(world)) == (False, "EpochPassed", 0)
    assert (await report(world, epoch=4))["accepted"]


async def test_in_a_new_epoch_counting_begins_anew(world: World):
    key = world.breaker(target=EXTERNAL, state="Closed")
    await report(world, count=5)
    world.store.change(key, lambda item: item["status"].update({"epoch": 5, "state": "Open"}))
    await world.clock.sleep(2)
    await report(world)
    (entry,) = reporters(world, key)
    assert (entry["epoch"], entry["consecutiveFailures"]) == (5, 1)


async def test_another_process_goes_on_counting_where_the_first_stopped(world: World):
    key = world.breaker(target=EXTERNAL, state="Closed")
    await report(world, count=3)
    world.services.reporters._tallies.clear()
    await world.clock.sleep(2)
    assert (await report(world))["consecutive_failures"] == 4
    assert reporters(world, key)[0]["consecutiveFailures"] == 4


async def test_a_report_that_could_not_be_written_was_not_counted(world: World):
    world.breaker(target=EXTERNAL, state="Closed")
    async with world.caller() as client:
        world.api.faults.outage = True
        refused = await client.post(f"{BASE}/report", json={"service_name": "openai", "outcome": "failure"})
    world.api.faults.outage = False
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert (await report(world))["consecutive_failures"] == 1


async def test_a_neutral_report_counts_nothing_and_breaks_no_row(world: World):
    key = world.breaker(target=EXTERNAL, state="Closed")
    await report(world, count=2)
    await world.clock.sleep(2)
    await report(world, "neutral")
    assert (reporters(world, key)[0]["consecutiveFailures"], reporters(world, key)[0]["lastOutcome"]) == (2, "Neutral")


async def test_a_probed_breaker_takes_no_reports_and_a_full_one_no_further_reporter(world: World):
    world.breaker("probed")
    full = [{"name": f"r{number}", "epoch": 4} for number in range(MOST_REPORTERS)]
    world.breaker(target=EXTERNAL, state="Closed", reporters=full)
    async with world.caller() as client:
        for name, slug in (("probed", "not-external"), ("openai", "too-many-reporters")):
            answer = await client.post(f"{BASE}/report", json={"service_name": name, "outcome": "failure"})
            assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[1]) == (409, slug)
    assert world.writes() == 0


@pytest.mark.parametrize(
    ("caller", "name"),
    [
        ("gateway", "gateway"),
        ("system:serviceaccount:shop:web", "system-serviceaccount-shop-web-"),
        ("x" * 200, "x" * 54 + "-"),
        ("Ünïcode", "n-code-"),
    ],
)
async def test_every_caller_has_a_name_that_an_entry_can_hold(caller: str, name: str):
    found = reporter_name(caller)
    assert found.startswith(name)
    assert len(found) <= 63
    assert found == reporter_name(caller)


async def test_a_half_open_breaker_hands_its_trial_to_one_caller(world: World):
    key = world.breaker(target=EXTERNAL, state="HalfOpen")
    first, second = await trial(world), await trial(world, "only-report")
    assert (first["granted"], first["holder"], second["granted"], second["reason"]) == (
        True,
        "all",
        False,
        "TrialTaken",
    )
    assert second["retry_at"] == first["until"] == world.stored(key)["status"]["trial"]["until"]
    await world.clock.sleep(31)
    assert (await trial(world, "only-report"))["granted"]


async def test_a_trial_is_never_given_twice_even_when_the_cache_is_behind(world: World):
    world.breaker(target=EXTERNAL, state="HalfOpen")
    await world.sync()
    world.store.watch_delay = None
    item = world.services.cache.breakers()[0]
    await world.api.write_status(
        item.meta.key,
        {**json.loads(item.raw_status), "trial": {"holder": "somebody", "until": "2026-01-05T09:00:20.000Z"}},
        json.loads(item.raw_status),
        item.meta.version,
    )
    answer = await world_trial_without_sync(world)
    assert (answer["granted"], answer["reason"]) == (False, "TrialTaken")


async def world_trial_without_sync(world: World) -> dict[str, Any]:
    sync, world.services.cache.resync = world.services.cache.resync, nothing  # type: ignore[method-assign]
    try:
        return await trial(world)
    finally:
        world.services.cache.resync = sync  # type: ignore[method-assign]


async def nothing() -> None:
    return None


@pytest.mark.parametrize(("outcome", "free"), [("neutral", True), ("success", True), ("failure", False)])
async def test_a_report_of_the_holder_ends_the_trial_unless_it_is_a_failure(world: World, outcome: str, free: bool):
    key = world.breaker(target=EXTERNAL, state="HalfOpen")
    await trial(world)
    await report(world, outcome)
    assert ("trial" not in world.stored(key)["status"]) is free


async def test_while_open_the_answer_says_when_to_ask_again_and_while_closed_nobody_needs_a_trial(world: World):
    key = world.breaker(target=EXTERNAL, state="Open", trialAt="2026-01-05T09:01:00.000Z")
    opened = await trial(world)
    assert (opened["granted"], opened["retry_at"]) == (False, "2026-01-05T09:01:00.000Z")
    world.store.change(key, lambda item: item["status"].update({"state": "Closed"}))
    closed = await trial(world)
    assert (closed["granted"], closed["holder"]) == (True, None)
    assert world.writes() == 0


async def test_a_trial_for_an_epoch_that_has_passed_is_refused(world: World):
    world.breaker(target=EXTERNAL, state="HalfOpen")
    assert (await trial(world, epoch=3))["reason"] == "EpochPassed"
    assert world.writes() == 0
