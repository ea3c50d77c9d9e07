"""Which addresses the HTTP caller connects to, and how calls share what there is."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.http_stage import LONG, ORDERS, SHORT, Stage, held, status
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.caller import PER_NAMESPACE, HttpCaller
from ultra_recovery.apis.endpoint import HttpEndpoint
from ultra_recovery.core.call import Call, CallOutcome, CallResult


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("http://elsewhere.test/", "allow-list", id="not on the allow-list"),
        pytest.param("http://a.example.com/", "never probed", id="a forbidden address"),
        pytest.param("http://a.example.com:0/", "no port 0", id="no port"),
    ],
)
async def test_what_is_not_allowed_is_refused_for_good_without_a_connection(stage: Stage, url: str, words: str):
    stage.names["a.example.com"] = [["127.0.0.1", "169.254.169.254"]]
    result = await stage.call(url=url)
    assert (result.outcome, result.retry) == (CallOutcome.REFUSED, False)
    assert words in result.message


async def test_a_missing_service_is_refused_for_good_and_one_without_ready_pods_for_now(stage: Stage):
    assert await stage.call() == CallResult(
        CallOutcome.REFUSED, "Service orders does not exist in namespace shop", retry=False
    )
    stage.publish(1, addresses=())
    result = await stage.call()
    assert (result.outcome, result.retry) == (CallOutcome.REFUSED, True)
    assert "no ready endpoint" in result.message


async def test_a_pod_that_is_not_in_the_view_yet_is_not_called(stage: Stage):
    stage.scene.service()
    stage.scene.slice([stage.scene.endpoint("127.0.0.1", "new")])
    result = await stage.call()
    assert (result.outcome, result.retry) == (CallOutcome.REFUSED, True)


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(stage: Stage):
    port = await stage.serve(status(200))
    stage.names["a.example.com"] = [["127.0.0.1"], ["169.254.169.254"]]
    assert (await stage.call(url=f"http://a.example.com:{port}/x")).outcome is CallOutcome.DONE
    assert stage.asked == ["a.example.com"]
    assert stage.requests[0].headers["Host"] == f"a.example.com:{port}"


async def test_the_production_policy_does_not_let_a_call_reach_this_machine(stage: Stage):
    stage.publish(await stage.serve(status(200)))
    policy = AddressPolicy(parse_rules("0.0.0.0/0"))
    caller = HttpCaller(stage.scene.view, policy, SystemClock(), "ultra-recovery/test")
    result = await caller.call("shop", Call(HttpEndpoint(service_ref=ORDERS), "POST", b"{}", LONG))
    assert (result.outcome, result.retry) == (CallOutcome.REFUSED, False)
    assert stage.requests == []


async def test_calls_in_turn_reach_all_ready_pods(stage: Stage):
    port = await stage.serve(status(200))
    await stage.serve(status(200), host="127.0.0.2", port=port)
    stage.publish(port, addresses=("127.0.0.1", "127.0.0.2"))
    for _ in range(4):
        await stage.call()
    assert stage.reached == ["127.0.0.1", "127.0.0.2"] * 2


async def test_slow_endpoints_of_one_namespace_use_up_nothing_of_another(stage: Stage):
    async with held() as never:
        stage.publish(await stage.serve(never))
        pending = [asyncio.create_task(stage.call()) for _ in range(PER_NAMESPACE)]
        while len(stage.requests) < PER_NAMESPACE:
            await asyncio.wait(pending, timeout=0.01)
        crowded = await stage.call(SHORT)
        assert (crowded.outcome, len(stage.requests)) == (CallOutcome.REFUSED, PER_NAMESPACE)
        assert "not sent" in crowded.message
        stage.publish(await stage.serve(status(200)), namespace="other")
        assert (await stage.call(namespace="other")).outcome is CallOutcome.DONE
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    stage.names["a.example.com"] = [["127.0.0.1"]]
    port = await stage.serve(status(200))
    assert (await stage.call(url=f"http://a.example.com:{port}/")).outcome is CallOutcome.DONE
