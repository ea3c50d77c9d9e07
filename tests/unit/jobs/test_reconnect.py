"""reconnectDatabase: the schedule, what ends it early, and the pooler that still refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.jobs.scene import Scene, leaked
from ultra_recovery.adapters.memory.pooler import Replica
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_request import Place
from ultra_recovery.jobs.runner import run

pytestmark = pytest.mark.looptime
RECONNECT: dict[str, Any] = {"reconnectDatabase": {}}
AWAY = DatabaseFault(FaultKind.UNREACHABLE, "connection refused")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def retry(replica: Replica) -> int:
    return replica.settings["server_login_retry"]


@pytest.mark.parametrize(
    ("schedule", "chance", "times"),
    [
        ({}, 0.0, [0, 5, 10, 15, 20]),
        ({"attempts": 3, "delay": "2s"}, 0.0, [0, 2, 4]),
        ({"attempts": 4, "delay": "2s", "backoff": "Exponential"}, 0.5, [0, 1, 3, 7]),
    ],
    ids=["as users configured it", "shorter", "growing, with full jitter"],
)
async def test_attempts_follow_the_schedule(scene: Scene, schedule: dict[str, Any], chance: float, times: list[float]):
    scene.chance = (chance,)
    scene.server.fault = AWAY
    answer, code = await scene.run(RECONNECT, reconnect=schedule)
    assert (code, answer.changed) == (1, False)
    assert [at for at, _, _ in scene.server.logins] == pytest.approx(times)


async def test_a_server_that_comes_back_is_reached(scene: Scene):
    scene.server.faults = [AWAY, AWAY]
    answer, code = await scene.run(RECONNECT)
    assert (code, answer.changed) == (0, False)
    assert "attempt 3" in answer.message


async def test_a_refused_login_is_never_repeated(scene: Scene):
    scene.server.fault = DatabaseFault(FaultKind.CREDENTIALS, "the server refuses the password of the user")
    answer, code = await scene.run(RECONNECT)
    assert (code, len(scene.server.logins)) == (1, 1)
    assert "not tried again" in answer.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"writable": False}, "wrong node"),
        ({"fault": DatabaseFault(FaultKind.FROZEN, "accepts and is silent")}, "frozen"),
        ({"fault": DatabaseFault(FaultKind.EXHAUSTED, "full")}, "full"),
    ],
    ids=["wrong node", "frozen", "full"],
)
async def test_trouble_of_another_kind_is_reported_and_nobody_is_ended(scene: Scene, change: dict[str, Any], says: str):
    scene.server.add(leaked(1))
    for name, value in change.items():
        setattr(scene.server, name, value)
    answer, code = await scene.run(RECONNECT)
    assert (code, scene.server.asked) == (1, [])
    assert says in answer.message


def refuse_through(scene: Scene, replica: Replica, kind: FaultKind = FaultKind.UNREACHABLE) -> None:
    """The pooler refuses while it remembers a failed login for long."""

    def fault_at(place: Place) -> DatabaseFault | None:
        behind = place.port == 6432 and retry(replica) > 1
        return DatabaseFault(kind, "server login has been failing") if behind else None

    scene.server.fault_at = fault_at


async def test_a_pooler_that_still_refuses_is_mended_and_its_setting_is_back(scene: Scene):
    replica = Replica()
    refuse_through(scene, replica)
    answer, code = await scene.run(RECONNECT, sizeBefore=15, sizeAfter=1, **scene.replicas(replica))
    assert (code, answer.changed) == (0, True)
    assert replica.orders == ["SET server_login_retry = 1", "SET server_login_retry = 15"]
    assert scene.server.locks == {}


async def test_the_memory_is_short_for_a_moment_for_users_that_nobody_can_see(scene: Scene):
    replica = Replica()
    await scene.run(RECONNECT, **scene.replicas(replica))
    assert replica.orders == ["SET server_login_retry = 1", "SET server_login_retry = 15"]
    assert 2 <= scene.clock.boottime() <= 4


async def test_a_login_that_the_pooler_passes_on_as_refused_is_not_made_more_often(scene: Scene):
    replica = Replica()
    refuse_through(scene, replica, FaultKind.CREDENTIALS)
    answer, code = await scene.run(RECONNECT, **scene.replicas(replica))
    assert (code, answer.changed, replica.orders) == (1, False, [])


@pytest.mark.parametrize(
    ("present", "orders", "left"),
    [
        (15, ["SET server_login_retry = 1", "SET server_login_retry = 15"], 15),
        (1, ["SET server_login_retry = 15"], 15),
        (7, [], 7),
    ],
    ids=["as the run knows it", "an earlier pod was killed", "somebody else's"],
)
async def test_only_the_value_that_the_run_knows_is_changed(scene: Scene, present: int, orders: list[str], left: int):
    replica = Replica({"default_pool_size": 20, "server_login_retry": present})
    await scene.run(RECONNECT, sizeBefore=15, sizeAfter=1, **scene.replicas(replica))
    assert (replica.orders, retry(replica)) == (orders, left)


async def test_a_pooler_that_cannot_be_mended_is_named_and_its_setting_is_back(scene: Scene):
    replica = Replica()
    scene.server.fault_at = lambda place: AWAY if place.port == 6432 else None
    answer, code = await scene.run(RECONNECT, **scene.replicas(replica))
    assert (code, retry(replica)) == (1, 15)
    assert "through 1 of 1 poolers" in answer.message


async def test_a_paused_pooler_is_left_alone(scene: Scene):
    replica = Replica(paused=True)
    answer, _ = await scene.run(RECONNECT, **scene.replicas(replica))
    assert (answer.changed, replica.orders) == (False, [])
    assert any("paused" in text for text in answer.measures)


@pytest.mark.parametrize("after", [0.1, 0.7, 2.2], ids=lambda value: f"after {value} s")
async def test_stopped_half_way_it_sets_the_memory_back_and_answers(scene: Scene, after: float):
    replica = Replica()
    work = scene.work(RECONNECT, **scene.replicas(replica))
    task = asyncio.ensure_future(run(work))
    await scene.clock.sleep(after)
    work.stop.set()
    answer, code = await task
    assert (code, answer.changed, retry(replica)) == (1, True, 15)
    assert "told to stop" in answer.message


async def test_another_job_at_work_leaves_the_pooler_alone(scene: Scene):
    replica = Replica()
    scene.server.locks["shop/orders-db"] = object()
    answer, code = await scene.run(RECONNECT, **scene.replicas(replica))
    assert (code, answer.changed, replica.orders) == (0, False, [])


@pytest.mark.parametrize(
    ("heartbeat", "role", "code", "says"),
    [(True, True, 0, "took a write"), (False, True, 1, "generate sql"), (True, False, 1, "recoverySecretRef")],
    ids=["written", "no table", "no role"],
)
async def test_a_write_proves_it_where_that_is_wanted(scene: Scene, heartbeat: bool, role: bool, code: int, says: str):
    scene.server.heartbeat = heartbeat
    answer, exit_code = await scene.run({"reconnectDatabase": {"writeCheck": True}}, hasRecoveryRole=role)
    assert exit_code == code
    assert says in answer.message
