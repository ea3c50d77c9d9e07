"""refreshPool: one measure after the other, and no more than needed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.unit.jobs.scene import Scene, leaked, unused
from ultra_recovery.adapters.memory.pooler import Replica
from ultra_recovery.core.pooler_figures import PoolerServer
from ultra_recovery.job_ports import HookAnswer

pytestmark = pytest.mark.looptime
HOOK = {"hook": {"serviceRef": {"name": "orders", "port": 8080}, "path": "/pool/refresh"}}
PODS = {"hooks": [{"host": "10.2.0.1", "port": 8080, "pod": "orders-1"}, {"host": "10.2.0.2", "port": 8080}]}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def full(scene: Scene) -> None:
    """No connection is left: four leaked, the rest idle."""
    scene.server.most = 10
    scene.server.add(*(leaked(pid) for pid in range(4)), *(unused(pid, -5) for pid in range(4, 10)))


async def refresh(scene: Scene, spec: dict[str, Any] | None = None, **more: Any) -> Any:
    return await scene.run({"refreshPool": spec or {}}, **more)


async def test_it_stops_as_soon_as_there_is_room_again(scene: Scene):
    full(scene)
    pooler = scene.replicas(Replica(servers=[PoolerServer(5)]))
    answer, code = await refresh(scene, HOOK, **PODS, **pooler)
    assert (code, answer.changed) == (0, True)
    assert sorted(scene.ended) == [0, 1, 2, 3]
    assert (scene.hooks.calls, scene.poolers.replicas["10.0.0.2"].orders) == ([], [])
    assert answer.measures[0].startswith("limits: server 10/10")


async def test_the_hook_is_called_in_every_pod_with_the_key_of_the_action(scene: Scene):
    scene.hooks.answers["10.2.0.2"] = HookAnswer(False, "503")
    answer, _ = await refresh(scene, HOOK, **PODS)
    assert scene.hooks.calls == [("10.2.0.1", "/pool/refresh", "orders-1"), ("10.2.0.2", "/pool/refresh", "orders-1")]
    assert answer.changed
    assert answer.measures[1:3] == ["hook of orders-1: 204", "hook of 10.2.0.2: 503"]


async def test_a_hook_that_nobody_answered_changed_nothing(scene: Scene):
    scene.hooks.answers = {host: HookAnswer(False, "no answer within 5 s") for host in ("10.2.0.1", "10.2.0.2")}
    answer, code = await refresh(scene, HOOK, **PODS)
    assert (code, answer.changed) == (0, False)


async def test_every_replica_renews_its_connections_and_open_transactions_are_not_waited_for_for_ever(scene: Scene):
    first, second = Replica(servers=[PoolerServer(1), PoolerServer(2, client="10.9.0.1")]), Replica()
    answer, _ = await refresh(scene, **scene.replicas(first, second))
    assert (first.orders, second.orders) == (["RECONNECT orders"], [])
    assert any("1 connections are renewed when their transactions end" in text for text in answer.measures)
    assert scene.clock.boottime() <= 12


async def test_a_paused_pooler_is_reported_and_left_alone(scene: Scene):
    replica = Replica(paused=True, servers=[PoolerServer(1)])
    answer, _ = await refresh(scene, **scene.replicas(replica))
    assert (replica.orders, answer.changed) == ([], False)
    assert any("somebody paused" in text for text in answer.measures)


async def test_idle_sessions_are_ended_one_per_second_and_client(scene: Scene):
    scene.server.add(*(unused(pid, address="10.1.0.1") for pid in range(3)), unused(7, address="10.1.0.2"))
    await refresh(scene, recycleSeconds=3600)
    by_client: dict[str, list[float]] = {}
    for at, backend in scene.server.ended:
        by_client.setdefault(backend.address, []).append(at)
    assert {client: len(times) for client, times in by_client.items()} == {"10.1.0.1": 3, "10.1.0.2": 1}
    for times in by_client.values():
        assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("spec", "more", "ended"),
    [({}, {}, []), ({}, {"recycleSeconds": 3600}, [1]), ({"idleFor": "1m"}, {"recycleSeconds": 3600}, [1, 2])],
    ids=["neither", "the pool's recycle", "idleFor goes first"],
)
async def test_which_idle_sessions_are_too_old(
    scene: Scene, spec: dict[str, Any], more: dict[str, Any], ended: list[int]
):
    scene.server.add(unused(1, -4000), unused(2, -100))
    await refresh(scene, spec, **more)
    assert scene.ended == ended


async def test_it_ends_in_time_and_says_what_is_left(scene: Scene):
    scene.server.add(*(unused(pid) for pid in range(100)))
    answer, code = await refresh(scene, {"idleFor": "1m", "maxSessions": 100}, deadlineSeconds=20)
    assert (code, answer.changed) == (0, True)
    assert scene.clock.boottime() < 20
    assert 0 < len(scene.ended) < 20


async def test_nothing_found_is_nothing_done(scene: Scene):
    scene.server.add(unused(1, -10))
    answer, code = await refresh(scene)
    assert (code, answer.changed) == (0, False)
    assert "nothing was found" in answer.message
