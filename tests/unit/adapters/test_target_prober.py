"""Workload targets, and which prober is asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from ultra_recovery.adapters.memory import FakeClock, MemoryApi, Workloads
from ultra_recovery.adapters.memory.prober import target_name
from ultra_recovery.adapters.prober import TargetProber
from ultra_recovery.adapters.slots import Slots
from ultra_recovery.adapters.workload import WorkloadProber
from ultra_recovery.apis.circuit_breaker import BreakerTarget, HttpTarget, WorkloadTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_status import describe_target
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome, ProbeResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = {"serviceRef": {"name": "db", "port": 80}}
TARGETS: dict[str, dict[str, Any]] = {
    "http": SERVICE,
    "tcp": SERVICE,
    "prometheus": {**SERVICE, "query": "up", "comparison": "Above", "threshold": "0"},
    "workload": {"kind": "Deployment", "name": "web"},
}
pytestmark = pytest.mark.looptime


class Refusing:
    async def probe(self, namespace: str, target: object, within: float) -> ProbeResult:
        raise SpecError(Reason.TARGET_NOT_ALLOWED, "not on the list")


class Broken:
    async def probe(self, namespace: str, target: object, within: float) -> ProbeResult:
        raise ZeroDivisionError


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    async def probe(self, namespace: str, target: object, within: float) -> ProbeResult:
        return ProbeResult(Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, self.name, NOW, NOW)


class NamedDatabase:
    async def probe(self, namespace: str, target: object, within: float, breaker: str) -> ProbeResult:
        return ProbeResult(Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, f"database of {breaker}", NOW, NOW)


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi(FakeClock())


def prober(api: MemoryApi, http: Any = None) -> TargetProber:
    clock = FakeClock()
    workload = WorkloadProber(api, clock)
    return TargetProber(
        http or Refusing(), Named("tcp"), Named("prometheus"), NamedDatabase(), workload, Slots(), clock
    )


@pytest.mark.parametrize(
    ("replicas", "ready", "min_ready", "outcome"),
    [
        pytest.param(3, 3, "50%", Outcome.SUCCESS, id="all"),
        pytest.param(3, 2, "50%", Outcome.SUCCESS, id="rounded up"),
        pytest.param(3, 1, "50%", Outcome.FAILURE, id="below the share"),
        pytest.param(4, 2, "50%", Outcome.SUCCESS, id="exactly the share"),
        pytest.param(3, 2, "100%", Outcome.FAILURE, id="all are needed"),
        pytest.param(3, 1, "0%", Outcome.SUCCESS, id="one is enough"),
        pytest.param(3, 0, "0%", Outcome.FAILURE, id="at least one"),
        pytest.param(0, 0, "50%", Outcome.FAILURE, id="scaled to zero"),
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_a_workload_is_judged_by_its_ready_replicas(
    api: MemoryApi, kind: str, replicas: int, ready: int, min_ready: str, outcome: Outcome
):
    workloads = Workloads(api.store)
    key = (workloads.deployment if kind == "Deployment" else workloads.stateful_set)("shop", "web", replicas)
    for pod in workloads.pods(key)[ready:]:
        workloads.set_ready(pod, False)
    target = BreakerTarget(workload=WorkloadTarget(kind=kind, name="web", min_ready=min_ready))
    result = await prober(api).probe("shop", target, 5)
    assert result.outcome is outcome
    assert f"{ready} of {replicas}" in result.message


async def test_a_workload_of_another_kind_or_namespace_does_not_exist(api: MemoryApi):
    Workloads(api.store).deployment("shop", "web")
    for namespace, kind in (("shop", "StatefulSet"), ("other", "Deployment")):
        target = BreakerTarget(workload=WorkloadTarget(kind=kind, name="web"))
        result = await prober(api).probe(namespace, target, 5)
        assert (result.outcome, result.reason, result.permanent) == (Outcome.ERROR, Reason.TARGET_NOT_FOUND, True)


async def test_a_target_that_cannot_be_probed_is_a_permanent_error_with_its_reason(api: MemoryApi):
    result = await prober(api).probe("shop", BreakerTarget(http=HttpTarget(url="http://a.example.com")), 5)
    assert (result.outcome, result.reason) == (Outcome.ERROR, Reason.TARGET_NOT_ALLOWED)
    assert result.permanent
    assert result.message == "not on the list"


@pytest.mark.parametrize("kind", ["http", "tcp", "prometheus"])
async def test_each_kind_has_its_prober(api: MemoryApi, kind: str):
    target = BreakerTarget.model_validate({kind: TARGETS[kind]})
    assert (await prober(api, Named("http")).probe("shop", target, 5)).message == kind


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
async def test_databases_have_their_prober_and_it_learns_which_breaker_asks(api: MemoryApi, kind: str):
    spec = {**SERVICE, "database": "orders", "credentialsSecretRef": {"name": "probe"}}
    target = BreakerTarget.model_validate({kind: spec})
    assert (await prober(api).probe("shop", target, 5, "db")).message == "database of db"


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_knows_its_kind_and_is_told_in_short(kind: str):
    target = BreakerTarget.model_validate({kind: TARGETS[kind]})
    assert target.kind == kind
    assert (
        describe_target(target)
        == {
            "http": "http db:80/",
            "tcp": "tcp db:80",
            "prometheus": "prometheus db:80",
            "workload": "deployment web",
        }[kind]
    )
    assert target_name(target) == ("web" if kind == "workload" else "db")


def test_a_target_of_a_newer_kind_has_a_name_for_metrics():
    assert BreakerTarget().kind == "unknown"
    assert describe_target(BreakerTarget()) == "unknown"


async def test_a_target_of_a_newer_kind_is_a_permanent_error(api: MemoryApi):
    result = await prober(api).probe("shop", BreakerTarget(), 5)
    assert (result.outcome, result.reason) == (Outcome.ERROR, Reason.INVALID_SPEC)
    assert result.permanent


async def test_a_bug_in_a_prober_is_not_hidden(api: MemoryApi):
    with pytest.raises(ZeroDivisionError):
        await prober(api, Broken()).probe("shop", BreakerTarget(http=HttpTarget(url="http://a.example.com")), 5)


class Hanging:
    async def probe(self, namespace: str, target: object, within: float) -> ProbeResult:
        await FakeClock().sleep(within)
        return ProbeResult(Outcome.FAILURE, Reason.PROBE_FAILED, "", NOW, NOW)


async def test_all_kinds_over_the_network_share_the_places_of_their_namespace_and_workloads_need_none(api: MemoryApi):
    Workloads(api.store).deployment("shop", "web")
    clock, workload = FakeClock(), WorkloadProber(api, FakeClock())
    shared = TargetProber(Hanging(), Hanging(), Hanging(), NamedDatabase(), workload, Slots(per_namespace=1), clock)
    targets = [BreakerTarget.model_validate({kind: TARGETS[kind]}) for kind in ("http", "tcp", "prometheus")]
    pending = [asyncio.ensure_future(shared.probe("shop", target, 5)) for target in targets]
    other = asyncio.ensure_future(shared.probe("other", targets[0], 5))
    begin = clock.boottime()
    await shared.probe("shop", BreakerTarget.model_validate({"workload": TARGETS["workload"]}), 5)
    assert clock.boottime() == begin
    await other
    assert clock.boottime() == begin + 5
    await asyncio.gather(*pending)
    assert clock.boottime() == begin + 15
