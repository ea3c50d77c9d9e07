"""The controller in memory replaces pods as a cluster does, and the twin's faults strike as told."""

from __future__ import annotations

import pytest

from tests.contract.world import breaker, run
from tests.listing import listed
from ultra_recovery.adapters.memory import CrashError, FakeClock, MemoryApi, Moment, Workloads
from ultra_recovery.core.errors import Unavailable
from ultra_recovery.core.health import pods_of
from ultra_recovery.core.objects import Key, Kind, Pod, Workload

pytestmark = pytest.mark.looptime


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi(FakeClock())


@pytest.fixture
def workloads(api: MemoryApi) -> Workloads:
    return Workloads(api.store, terminate_after=1.0, ready_after=2.0)


def _workload(api: MemoryApi, key: Key) -> Workload:
    found = api.get(key)
    assert isinstance(found, Workload)
    return found


def _pods(api: MemoryApi, key: Key) -> list[Pod]:
    return pods_of(_workload(api, key), [item for item in api.select(Kind.POD) if isinstance(item, Pod)])


@pytest.mark.parametrize("kind", ["deployment", "stateful_set"])
async def test_a_new_workload_has_its_pods_and_counts_them(api: MemoryApi, workloads: Workloads, kind: str):
    key = getattr(workloads, kind)("shop", "web", 3)
    assert len(_pods(api, key)) == 3
    workload = _workload(api, key)
    assert (workload.replicas, workload.ready, workload.total, workload.rolling_out) == (3, 3, 3, False)


async def test_an_evicted_pod_of_a_deployment_is_replaced_at_once_and_ready_later(api: MemoryApi, workloads: Workloads):
    key = workloads.deployment("shop", "web", 3)
    old = _pods(api, key)[0]
    await api.evict(old.meta.key, old.meta.uid)
    assert len(_pods(api, key)) == 4
    assert _workload(api, key).ready == 2
    await api.store.clock.sleep(1.1)
    assert len(_pods(api, key)) == 3
    assert old.meta.uid not in {pod.meta.uid for pod in _pods(api, key)}
    await api.store.clock.sleep(1.0)
    assert all(pod.ready for pod in _pods(api, key))
    assert _workload(api, key).ready == 3


async def test_an_evicted_pod_of_a_stateful_set_comes_back_under_its_name_with_another_uid(
    api: MemoryApi, workloads: Workloads
):
    key = workloads.stateful_set("shop", "db", 2)
    old = _pods(api, key)[0]
    await api.evict(old.meta.key, old.meta.uid)
    assert len(_pods(api, key)) == 2
    await api.store.clock.sleep(1.1)
    new = api.get(old.meta.key)
    assert isinstance(new, Pod)
    assert new.meta.uid != old.meta.uid
    assert not new.ready
    await api.store.clock.sleep(2.0)
    assert _workload(api, key).ready == 2


async def test_two_pods_evicted_at_once_are_both_replaced_and_no_third_appears(api: MemoryApi, workloads: Workloads):
    key = workloads.deployment("shop", "web", 3)
    for pod in _pods(api, key)[:2]:
        await api.evict(pod.meta.key, pod.meta.uid)
    await api.store.clock.sleep(5)
    assert len(_pods(api, key)) == 3
    assert _workload(api, key).ready == 3


async def test_a_replacement_that_never_gets_ready_stays_so(api: MemoryApi, workloads: Workloads):
    key = workloads.deployment("shop", "web", 1)
    workloads.ready_after = None
    (pod,) = _pods(api, key)
    await api.evict(pod.meta.key, pod.meta.uid)
    await api.store.clock.sleep(600)
    assert _workload(api, key).ready == 0
    assert len(_pods(api, key)) == 1


async def test_a_pod_that_stops_being_ready_shows_in_the_workload(api: MemoryApi, workloads: Workloads):
    key = workloads.deployment("shop", "web", 2)
    await api.store.clock.sleep(60)
    workloads.set_ready(workloads.pods(key)[0], False)
    assert _workload(api, key).ready == 1
    changed = [pod.ready_changed_at for pod in _pods(api, key)]
    assert changed[0] != changed[1]


async def test_a_rollout_is_under_way_until_it_is_finished(api: MemoryApi, workloads: Workloads):
    key = workloads.deployment("shop", "web", 2)
    generation = _workload(api, key).meta.generation
    workloads.start_rollout(key)
    assert _workload(api, key).rolling_out
    assert _workload(api, key).meta.generation == generation + 1
    old = {pod.meta.uid for pod in _pods(api, key)}
    workloads.finish_rollout(key)
    assert not _workload(api, key).rolling_out
    assert not old & {pod.meta.uid for pod in _pods(api, key)}
    assert _workload(api, key).ready == 2


async def test_scaling_down_terminates_pods(api: MemoryApi, workloads: Workloads):
    key = workloads.deployment("shop", "web", 3)
    workloads.scale(key, 0)
    await api.store.clock.sleep(2)
    assert _pods(api, key) == []
    assert _workload(api, key).replicas == 0


async def test_subscribers_hear_of_what_exists_and_of_every_change_in_order(api: MemoryApi):
    heard: list[tuple[str, bool]] = []
    api.store.add(Kind.BREAKER, breaker("one"))
    await api.store.clock.sleep(0.1)
    api.store.watch_delay = 0.5
    api.store.subscribe(lambda _kind, document, deleted: heard.append((document["metadata"]["name"], deleted)))
    assert heard == [("one", False)]
    api.store.add(Kind.BREAKER, breaker("two"))
    api.store.remove(Key(Kind.BREAKER, "default", "one"))
    assert heard == [("one", False)]
    await api.store.clock.sleep(0.6)
    assert heard == [("one", False), ("two", False), ("one", True)]


async def test_a_silent_watch_tells_nothing(api: MemoryApi):
    heard: list[str] = []
    api.store.subscribe(lambda _kind, document, _deleted: heard.append(document["metadata"]["name"]))
    api.store.watch_delay = None
    api.store.add(Kind.BREAKER, breaker("one"))
    await api.store.clock.sleep(60)
    assert heard == []


@pytest.mark.parametrize(
    ("moment", "applied"),
    [pytest.param(Moment.BEFORE, False, id="request lost"), pytest.param(Moment.AFTER, True, id="answer lost")],
)
async def test_a_failed_request_was_applied_or_not_as_told(api: MemoryApi, moment: Moment, applied: bool):
    api.faults.fail_at(2, moment)
    await api.create_run("shop", run("a-1-1"))
    with pytest.raises(Unavailable):
        await api.create_run("shop", run("a-1-2"))
    assert (Key(Kind.RUN, "shop", "a-1-2") in api.store.documents) is applied
    await api.create_run("shop", run("a-1-3"))


async def test_after_a_crash_nothing_works_until_a_new_process_starts(api: MemoryApi):
    api.faults.crash_at(1, Moment.AFTER)
    with pytest.raises(CrashError):
        await api.create_run("shop", run("a-1-1"))
    with pytest.raises(CrashError):
        await listed(api, Kind.RUN)
    api.faults.revive()
    _, runs = await listed(api, Kind.RUN)
    assert len(runs) == 1
    assert [item.result for item in api.requests] == ["CrashError", "CrashError", "ok"]


async def test_an_outage_of_one_client_leaves_others_alone(api: MemoryApi):
    other = MemoryApi(FakeClock(), api.store)
    api.faults.outage = True
    with pytest.raises(Unavailable):
        await listed(api, Kind.RUN)
    await listed(other, Kind.RUN)
