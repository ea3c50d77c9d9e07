"""raisePoolSize and its way back: within the budget, by compare-and-swap, never over somebody else's value."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.jobs.scene import Scene, unused
from ultra_recovery.adapters.memory.pooler import Replica
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.pooler_figures import PoolerServer
from ultra_recovery.jobs.runner import run

pytestmark = pytest.mark.looptime
SIZES = {"sizeBefore": 20, "sizeAfter": 30}
RAISE: dict[str, Any] = {"raisePoolSize": {}}
RECONNECT: dict[str, Any] = {"reconnectDatabase": {}}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def size(replica: Replica) -> int:
    return replica.settings["default_pool_size"]


async def test_every_replica_is_raised(scene: Scene):
    first, second = Replica(), Replica()
    answer, code = await scene.run(RAISE, **SIZES, **scene.replicas(first, second))
    assert (code, answer.changed) == (0, True)
    assert (size(first), size(second)) == (30, 30)


@pytest.mark.parametrize(
    ("replica", "more", "says"),
    [
        (Replica(), {"room": {"undeclared": ["billing", "reports"]}}, "billing, reports"),
        (Replica(pools=4), {}, "no room"),
        (Replica(own_size=20), {}, "pool_size of its own"),
        (Replica({"default_pool_size": 25, "server_login_retry": 15}), {}, "somebody else changed it"),
        (Replica(only_looks=True), {}, "may only look"),
        (Replica(fault=DatabaseFault(FaultKind.UNREACHABLE, "gone")), {}, "budget is not known"),
        (Replica(), {"sizeBefore": None}, "not known"),
    ],
    ids=[
        "an undeclared pool",
        "no room",
        "a size of its own",
        "somebody else's",
        "no admin",
        "a replica is gone",
        "size",
    ],
)
async def test_what_must_not_be_raised_is_not(scene: Scene, replica: Replica, more: dict[str, Any], says: str):
    before = size(replica)
    answer, code = await scene.run(RAISE, **{**SIZES, **scene.replicas(replica), **more})
    assert (code, answer.changed) == (0, False)
    assert size(replica) == before
    assert says in answer.message


@pytest.mark.parametrize(
    ("backends", "declared", "raised"),
    [
        ([], 500, True),
        ([unused(1)], 500, False),
        ([unused(1)], 60, True),
        ([unused(1, user="billing")], 500, True),
        ([unused(7)], 500, True),
    ],
    ids=[
        "all through the pooler",
        "past the pooler",
        "past the pooler, with room",
        "somebody else",
        "the pooler's own",
    ],
)
async def test_what_applications_declare_counts_as_soon_as_one_goes_past_the_pooler(
    scene: Scene, backends: list[Any], declared: int, raised: bool
):
    scene.server.add(*backends)
    replica = Replica(servers=[PoolerServer(7)])
    answer, _ = await scene.run(RAISE, **SIZES, **scene.replicas(replica), room={"declared": declared})
    assert (answer.changed, size(replica)) == (raised, 30 if raised else 20)


async def test_the_limit_of_the_role_counts_too(scene: Scene):
    scene.server.role_most = 25
    replica = Replica()
    answer, _ = await scene.run(RAISE, **SIZES, **scene.replicas(replica))
    assert (answer.changed, size(replica)) == (False, 20)


async def test_postgres_without_a_pooler_cannot_be_raised(scene: Scene):
    answer, code = await scene.run(RAISE, **SIZES)
    assert (code, answer.changed) == (0, False)
    assert "restart" in answer.message


async def test_the_limit_of_a_mysql_server_is_raised_and_taken_back(scene: Scene):
    scene.server.most = 20
    answer, _ = await scene.run(RAISE, **SIZES, engine="mysql", room={"declared": 40})
    assert (answer.changed, scene.server.most) == (True, 30)
    answer, _ = await scene.run(RAISE, **SIZES, engine="mysql", part="Undo")
    assert (answer.changed, scene.server.most) == (True, 20)


async def test_the_limit_of_a_mysql_server_is_not_raised_for_more_than_was_declared(scene: Scene):
    scene.server.most = 20
    answer, _ = await scene.run(RAISE, **SIZES, engine="mysql", room={"declared": 17})
    assert (answer.changed, scene.server.most) == (False, 20)
    assert "more than was declared" in answer.message


async def test_an_undo_sets_the_old_size_and_renews_connections(scene: Scene):
    replica = Replica({"default_pool_size": 30, "server_login_retry": 15})
    answer, code = await scene.run(RAISE, **SIZES, **scene.replicas(replica), part="Undo")
    assert (code, answer.changed) == (0, True)
    assert replica.orders == ["SET default_pool_size = 20", "RECONNECT orders"]


@pytest.mark.parametrize("present", [20, 45], ids=["a new pod, or already back", "somebody else's"])
async def test_an_undo_leaves_any_other_value_alone(scene: Scene, present: int):
    replica = Replica({"default_pool_size": present, "server_login_retry": 15})
    answer, code = await scene.run(RAISE, **SIZES, **scene.replicas(replica), part="Undo")
    assert (code, answer.changed, size(replica), replica.orders) == (0, False, present, [])


async def test_an_undo_that_reached_nobody_fails_so_that_somebody_knows(scene: Scene):
    replica = Replica(fault=DatabaseFault(FaultKind.UNREACHABLE, "gone"))
    answer, code = await scene.run(RAISE, **SIZES, **scene.replicas(replica), part="Undo")
    assert (code, answer.changed) == (1, False)


async def test_an_undo_of_a_reconnect_sets_the_memory_of_the_pooler_back(scene: Scene):
    replica = Replica({"default_pool_size": 20, "server_login_retry": 1})
    await scene.run(RECONNECT, sizeBefore=15, sizeAfter=1, **scene.replicas(replica), part="Undo")
    assert replica.orders == ["SET server_login_retry = 15"]


async def test_the_size_comes_back_after_its_time(scene: Scene):
    replica = Replica({"default_pool_size": 30, "server_login_retry": 15})
    task = asyncio.ensure_future(
        scene.run(RAISE, **SIZES, **scene.replicas(replica), part="RestoreLater", restoreAfterSeconds=1800)
    )
    await scene.clock.sleep(1799)
    assert size(replica) == 30
    answer, code = await task
    assert (code, answer.changed, size(replica)) == (0, True, 20)


async def test_a_pod_that_comes_later_waits_no_longer_than_the_first(scene: Scene):
    replica = Replica({"default_pool_size": 30, "server_login_retry": 15})
    due = scene.clock.now() + timedelta(seconds=60)
    more = {"part": "RestoreLater", "restoreAfterSeconds": 1800, "restoreAt": due.isoformat()}
    await scene.run(RAISE, **SIZES, **scene.replicas(replica), **more)
    assert 60 <= scene.clock.boottime() < 65


async def test_a_pod_that_has_to_go_restores_at_once(scene: Scene):
    replica = Replica({"default_pool_size": 30, "server_login_retry": 15})
    work = scene.work(RAISE, **SIZES, **scene.replicas(replica), part="RestoreLater", restoreAfterSeconds=1800)
    task = asyncio.ensure_future(run(work))
    await scene.clock.sleep(10)
    work.stop.set()
    answer, code = await task
    assert (code, answer.changed, size(replica)) == (0, True, 20)
    assert scene.clock.boottime() < 15


async def test_a_pod_after_one_that_was_killed_raises_nothing_again(scene: Scene):
    replica = Replica({"default_pool_size": 30, "server_login_retry": 15})
    scene.server.claims.add("orders-1")
    answer, code = await scene.run(RAISE, **SIZES, **scene.replicas(replica))
    assert (code, answer.changed, replica.orders) == (0, True, [])
