"""From a name to an object, to near matches, or to candidates."""

from __future__ import annotations

import pytest

from tests.unit.rest.world import World

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

RESET = "/api/recovery/circuit-breaker/reset"
TRIGGER = "/api/recovery/trigger"


async def post(world: World, path: str, name: str, caller: str = "all", **more: object):
    async with world.caller(caller) as client:
        return await client.post(path, json={"service_name": name, **more})


async def test_a_bare_name_is_found_wherever_the_caller_may_look(world: World):
    world.breaker(namespace="shop")
    assert (await post(world, RESET, "openai")).json()["service_name"] == "shop/openai"


async def test_several_hits_give_the_candidates_and_the_full_name_one_of_them(world: World):
    world.breaker(namespace="shop")
    world.breaker(namespace="bank")
    several = await post(world, RESET, "openai")
    assert (several.status_code, several.json()["candidates"]) == (409, ["bank/openai", "shop/openai"])
    assert (await post(world, RESET, "bank/openai")).status_code == 202
    assert (await post(world, RESET, "openai", "shop")).json()["service_name"] == "shop/openai"


async def test_no_hit_gives_near_matches_from_the_callers_namespaces_only(world: World):
    world.breaker("openai", "shop")
    world.breaker("openai-eu", "bank")
    mine = await post(world, RESET, "opena", "shop")
    assert (mine.status_code, mine.json()["candidates"]) == (404, ["shop/openai"])
    everybodys = await post(world, RESET, "opena")
    assert everybodys.json()["candidates"] == ["shop/openai", "bank/openai-eu"]


async def test_a_name_in_a_forbidden_namespace_is_forbidden_whether_or_not_it_exists(world: World):
    world.breaker("openai", "bank")
    answers = [await post(world, RESET, name, "shop") for name in ("bank/openai", "bank/nothing", "void/nothing")]
    assert [answer.status_code for answer in answers] == [403] * 3


@pytest.mark.parametrize("name", ["orders", "orders-app", "orders-db"])
async def test_a_trigger_is_found_by_policy_target_or_dependency(world: World, name: str):
    world.policy(
        "orders",
        targetRef={"kind": "Deployment", "name": "orders-app"},
        dependencies=[{"breaker": "orders-db"}],
    )
    answer = await post(world, TRIGGER, name, error_type="CUSTOM_ERROR")
    assert [run["policy"] for run in answer.json()["runs"]] == ["orders"]


async def test_an_error_that_nobody_knows_gives_those_that_are_known(world: World):
    world.policy()
    answer = await post(world, TRIGGER, "custom-service", error_type="OTHER")
    assert (answer.status_code, answer.json()["knownErrorTypes"]) == (404, ["CUSTOM_ERROR"])
    assert "CUSTOM_ERROR" in answer.json()["detail"]


async def test_a_trigger_with_a_context_wants_all_of_it(world: World):
    reported = {"errorTypes": ["CUSTOM_ERROR"], "context": {"shard": "eu-1"}}
    world.policy(triggers=[{"name": "eu", "errorReported": reported}])
    missed = await post(world, TRIGGER, "custom-service", error_type="CUSTOM_ERROR", context={"shard": "us-1"})
    assert (missed.status_code, "with this context" in missed.json()["detail"]) == (404, True)
    context = {"shard": "eu-1", "more": "words"}
    found = await post(world, TRIGGER, "custom-service", error_type="CUSTOM_ERROR", context=context)
    assert found.status_code == 202


async def test_another_policy_on_the_target_is_named_as_the_holder(world: World):
    world.policy("mine")
    world.policy("theirs")
    world.run("theirs-1-1", policyName="theirs")
    answer = await post(world, TRIGGER, "mine", error_type="CUSTOM_ERROR")
    assert "run theirs-1-1 of policy theirs" in answer.json()["runs"][0]["message"]
