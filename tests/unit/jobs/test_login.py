"""How a Job gets in: what may pass is tried again for a while, what was refused never is."""

from __future__ import annotations

import pytest

from tests.unit.jobs.scene import Scene, leaked
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind

pytestmark = pytest.mark.looptime
PASSING = (FaultKind.EXHAUSTED, FaultKind.UNREACHABLE, FaultKind.FROZEN)
TWO = {"servers": [{"host": "10.0.0.1", "port": 5432}, {"host": "10.0.0.2", "port": 5432}]}


@pytest.fixture
def scene() -> Scene:
    found = Scene()
    found.server.add(leaked(1), leaked(2))
    return found


@pytest.mark.parametrize("kind", PASSING)
async def test_a_login_is_tried_again_until_there_is_room(scene: Scene, kind: FaultKind):
    scene.server.faults = [DatabaseFault(kind, "not now")] * 12
    answer, code = await scene.run({"refreshPool": {}})
    assert (code, answer.changed, scene.ended) == (0, True, [1, 2])
    times = [at for at, _, _ in scene.server.logins]
    assert times == sorted(set(times)), "there is a pause between any two"


@pytest.mark.parametrize("kind", PASSING)
async def test_a_job_that_does_not_get_in_says_why_within_ten_seconds(scene: Scene, kind: FaultKind):
    scene.server.fault = DatabaseFault(kind, "not today")
    answer, code = await scene.run({"refreshPool": {}})
    assert (code, answer.changed, scene.ended) == (1, False, [])
    assert "not today" in answer.message
    assert len(scene.server.logins) > 10
    assert scene.clock.boottime() <= 10


async def test_a_job_with_little_time_leaves_enough_of_it_for_its_answer(scene: Scene):
    scene.server.fault = DatabaseFault(FaultKind.EXHAUSTED, "full")
    answer, code = await scene.run({"refreshPool": {}}, deadlineSeconds=10)
    assert (code, "full" in answer.message) == (1, True)
    assert scene.clock.boottime() < 4


async def test_a_login_that_was_refused_is_not_repeated_at_any_address(scene: Scene):
    scene.server.fault = DatabaseFault(FaultKind.CREDENTIALS, "wrong password")
    answer, code = await scene.run({"refreshPool": {}}, **TWO)
    assert (code, len(scene.server.logins)) == (1, 1)
    assert "not tried again" in answer.message


async def test_the_wrong_node_is_left_at_once_when_it_is_the_only_one(scene: Scene):
    scene.server.writable = False
    _, code = await scene.run({"refreshPool": {}}, writable=True)
    assert (code, len(scene.server.logins)) == (1, 1)
