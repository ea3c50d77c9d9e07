"""Which addresses the HTTP prober connects to, and how probes share what there is."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.http_stage import LONG, Stage, held, status
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.transport import Transport
from ultra_recovery.adapters.memory.secrets import MemorySecrets
from ultra_recovery.adapters.prober import build_prober
from ultra_recovery.apis.circuit_breaker import BreakerTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome


async def test_every_probe_makes_a_new_connection(stage: Stage):
    stage.publish(await stage.serve(status(200)))
    for _ in range(3):
        await stage.probe()
    assert len(set(stage.peers)) == 3


async def test_probes_in_turn_reach_all_ready_pods(stage: Stage):
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    port = await stage.serve(status(200))
    for address in addresses[1:]:
        await stage.serve(status(200), host=address, port=port)
    stage.publish(port, addresses=addresses)
    for _ in range(6):
        await stage.probe()
    assert stage.reached == [*addresses, *addresses]


async def test_no_ready_pod_is_a_failure_and_a_missing_service_is_the_users_mistake(stage: Stage):
    with pytest.raises(SpecError, match="does not exist"):
        await stage.probe()
    stage.publish(1, addresses=())
    result = await stage.probe()
    assert result.outcome is Outcome.FAILURE
    assert "no ready endpoint" in result.message


async def test_a_pod_that_is_not_in_the_view_yet_is_an_error_that_counts_neither_way(stage: Stage):
    stage.scene.service()
    stage.scene.slice([stage.scene.endpoint("127.0.0.1", "new")])
    result = await stage.probe()
    assert (result.outcome, result.permanent) == (Outcome.ERROR, False)


async def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(stage: Stage):
    port = await stage.serve(status(200))
    # Whoever asks a second time gets the metadata service.
    stage.names["a.example.com"] = [["127.0.0.1"], ["169.254.169.254"]]
    result = await stage.probe(url=f"http://a.example.com:{port}/x")
    assert result.outcome is Outcome.SUCCESS
    assert stage.asked == ["a.example.com"]
    assert stage.requests[0].headers["Host"] == f"a.example.com:{port}"
    with pytest.raises(SpecError, match="never probed"):
        await stage.probe(url=f"http://a.example.com:{port}/x")


async def test_a_name_with_one_forbidden_address_is_not_probed_at_all(stage: Stage):
    port = await stage.serve(status(200))
    stage.names["a.example.com"] = [["127.0.0.1", "169.254.169.254"]]
    with pytest.raises(SpecError) as caught:
        await stage.probe(url=f"http://a.example.com:{port}/")
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED
    assert stage.requests == []


@pytest.mark.parametrize(
    "target",
    [
        {"http": {"serviceRef": {"name": "orders", "port": 80}}},
        {"tcp": {"serviceRef": {"name": "orders", "port": 80}}},
        {
            "prometheus": {
                "serviceRef": {"name": "orders", "port": 80},
                "query": "up",
                "comparison": "Above",
                "threshold": "0",
            }
        },
    ],
    ids=lambda target: next(iter(target)),
)
async def test_the_production_policy_does_not_let_a_probe_reach_this_machine(stage: Stage, target: dict):
    stage.publish(await stage.serve(status(200)))
    policy, transport = AddressPolicy(parse_rules("0.0.0.0/0")), Transport("ultra-recovery/test")
    prober = build_prober(stage.scene.view, policy, transport, MemorySecrets(), SystemClock())
    result = await prober.probe("shop", BreakerTarget.model_validate(target), LONG)
    await transport.close()
    assert (result.outcome, result.reason) == (Outcome.ERROR, Reason.TARGET_NOT_ALLOWED)
    assert stage.requests == []


async def test_a_slow_target_does_not_delay_another_of_its_namespace(stage: Stage):
    async with held() as never:
        fast = await stage.serve(status(200))
        stage.publish(await stage.serve(never))
        pending = asyncio.create_task(stage.probe())
        stage.names["a.example.com"] = [["127.0.0.1"]]
        result = await stage.probe(url=f"http://a.example.com:{fast}/")
        assert result.outcome is Outcome.SUCCESS
        assert not pending.done()
    assert (await pending).outcome is Outcome.SUCCESS
