"""closeStaleConnections and endLongQueries: who is ended, who never is, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.jobs.scene import Scene, busy, leaked, unused
from ultra_recovery.adapters.memory.pooler import Replica
from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.core.database_session import Prepared
from ultra_recovery.core.pooler_figures import PoolerServer

pytestmark = pytest.mark.looptime
STALE: dict[str, Any] = {"closeStaleConnections": {}}
LONG: dict[str, Any] = {"endLongQueries": {}}


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_sessions_idle_in_a_transaction_are_ended_the_oldest_first_and_never_cancelled(scene: Scene):
    scene.server.add(leaked(1, -40), leaked(2, -90), leaked(3, -10), unused(4), busy(5))
    answer, code = await scene.run(STALE)
    assert (code, answer.changed) == (0, True)
    assert scene.ended == [2, 1]
    assert scene.server.cancelled == []
    assert [item.pid for item in answer.sessions] == [2, 1]
    assert answer.before.idle_in_transaction == 3
    assert answer.after.idle_in_transaction == 1


@pytest.mark.parametrize(
    "innocent",
    [
        {"user": "billing"},
        {"database": "billing"},
        {"guard": "waits for a synchronous standby"},
        {"guard": "is a superuser"},
        {"application": "pg_dump"},
        {"application": "pgBackRest [archive]"},
        {"application": "ultra-recovery-probe"},
        {"application": "orders-migrate"},
        {"application": "Alembic"},
        {"since": -29.0},
    ],
    ids=lambda item: " ".join(map(str, item.values())),
)
async def test_an_innocent_session_is_never_even_asked_for(scene: Scene, innocent: dict[str, Any]):
    scene.server.add(leaked(1, **innocent))
    answer, code = await scene.run(STALE)
    assert (code, answer.changed) == (0, False)
    assert scene.server.asked == []


@pytest.mark.parametrize(
    ("spec", "ended"),
    [
        ({}, [1, 2]),
        ({"allowApplications": ["web-*"]}, [1]),
        ({"denyApplications": ["WEB-*"]}, [2]),
        ({"allowApplications": ["*"], "denyApplications": ["job"]}, [1]),
        ({"allowApplications": ["web-."]}, []),
        ({"maxSessions": 1}, [1]),
    ],
    ids=["all", "allowed only", "denied in any case", "deny wins", "no regular expressions", "at most"],
)
async def test_lists_and_the_cap_choose(scene: Scene, spec: dict[str, Any], ended: list[int]):
    scene.server.add(leaked(1, -80, application="web-1"), leaked(2, -70, application="job"))
    await scene.run({"closeStaleConnections": spec})
    assert scene.ended == ended


async def test_a_session_that_moves_at_the_last_moment_is_left_alone(scene: Scene):
    scene.server.add(leaked(1))

    def move() -> None:
        scene.server.backends[1].since = scene.clock.boottime()

    scene.server.before_signal = move
    answer, _ = await scene.run(STALE)
    assert (scene.ended, answer.changed) == ([], False)
    assert answer.sessions[0].done == "idle in transaction, moved on by itself"


async def test_a_pid_that_was_used_again_is_another_session(scene: Scene):
    scene.server.add(leaked(1))

    def use_again() -> None:
        scene.server.backends[1] = replace(scene.server.backends[1], start="second")

    scene.server.before_signal = use_again
    await scene.run(STALE)
    assert scene.ended == []


async def test_prepared_transactions_are_reported_and_left_alone(scene: Scene):
    scene.server.prepared = [Prepared("payment-7", 900.0)]
    answer, _ = await scene.run(STALE)
    assert not answer.changed
    assert "1 prepared transactions" in answer.message
    assert "payment-7" not in answer.to_text()


async def test_behind_a_pooler_the_real_client_is_named(scene: Scene):
    pooler = scene.replicas(Replica(servers=[PoolerServer(1, client="10.9.0.7"), PoolerServer(2)]))
    scene.server.add(leaked(1, address="10.0.0.2"), leaked(2, address="10.0.0.2"))
    answer, _ = await scene.run(STALE, **pooler)
    assert answer.offenders == {"10.9.0.7": 1, "10.0.0.2": 1}


@pytest.mark.parametrize("action", [STALE, LONG], ids=["stale", "long"])
async def test_without_the_role_of_the_application_nobody_is_ended(scene: Scene, action: dict[str, Any]):
    scene.server.add(leaked(1), busy(2))
    answer, code = await scene.run(action, appUser=None)
    assert (code, answer.changed, scene.server.logins) == (0, False, [])
    assert "appUser" in answer.message


@pytest.mark.parametrize(
    ("change", "request_", "says"),
    [
        ({}, {"hasRecoveryRole": False}, "generate sql --engine postgres --database orders --app-user orders"),
        ({"lacks": "the role that acts lacks pg_read_all_stats"}, {}, "generate sql"),
        ({"writable": False}, {}, "wrong node"),
        ({}, {"servers": []}, "no ready address"),
        ({"fault": DatabaseFault(FaultKind.FROZEN, "")}, {}, "frozen"),
        ({"fault": DatabaseFault(FaultKind.EXHAUSTED, "")}, {}, "in reserve"),
        ({"fault": DatabaseFault(FaultKind.CREDENTIALS, "")}, {}, "not tried again"),
    ],
    ids=["no secret", "no rights", "wrong node", "no server", "frozen", "full for us, too", "wrong password"],
)
async def test_what_is_missing_is_said_and_nobody_is_ended(
    scene: Scene, change: dict[str, Any], request_: dict[str, Any], says: str
):
    scene.server.add(leaked(1))
    for name, value in change.items():
        setattr(scene.server, name, value)
    answer, code = await scene.run(STALE, **request_)
    assert (code, answer.changed, scene.ended) == (1, False, [])
    assert says in answer.message


async def test_a_read_only_server_is_good_where_no_writes_are_wanted(scene: Scene):
    scene.server.add(leaked(1))
    scene.server.writable = False
    await scene.run(STALE, writable=False)
    assert scene.ended == [1]


@pytest.mark.parametrize("name", ["shop/orders-db", "orders-1"], ids=["the database's", "the action's"])
async def test_a_lock_that_another_has_ends_the_job(scene: Scene, name: str):
    scene.server.add(leaked(1))
    scene.server.locks[name] = object()
    answer, code = await scene.run(STALE)
    assert (code, answer.changed, scene.ended) == (0, False, [])


async def test_locks_are_given_back(scene: Scene):
    await scene.run(STALE)
    assert scene.server.locks == {}


async def test_what_an_earlier_pod_began_counts_and_is_not_done_again(scene: Scene):
    scene.server.add(leaked(1))
    scene.server.claims.add("orders-1")
    answer, code = await scene.run(STALE)
    assert (code, answer.changed, scene.ended) == (0, True, [])


async def test_blockers_are_cancelled_first_then_the_longest(scene: Scene):
    scene.server.add(busy(1, -900), busy(2, -100, blocks=3), busy(3, -300), busy(4, -10))
    answer, code = await scene.run({"endLongQueries": {"maxSessions": 2}})
    assert (code, answer.changed) == (0, True)
    assert [item.pid for item in scene.server.cancelled] == [2, 1]
    assert scene.ended == []
    assert "q2 (1x)" in answer.message
    assert "an index or a rewrite" in answer.message
    assert "statement_timeout" in answer.message


@pytest.mark.parametrize(("terminate", "ended"), [(True, [1]), (False, [])], ids=["is ended", "stays"])
async def test_a_statement_that_goes_on_after_the_grace(scene: Scene, terminate: bool, ended: list[int]):
    scene.server.add(busy(1, stubborn=True), busy(2))
    await scene.run({"endLongQueries": {"grace": "5s", "terminate": terminate}})
    assert scene.ended == ended
    assert all(at >= 5 for at, _ in scene.server.ended)


@pytest.mark.parametrize(
    "spared",
    [
        {"verb": "VACUUM"},
        {"verb": "CREATE INDEX"},
        {"verb": "COPY"},
        {"verb": "ALTER TABLE"},
        {"verb": "COMMIT"},
        {"waits": True},
        {"application": "pg_dump"},
    ],
    ids=lambda item: str(*item.values()),
)
async def test_a_statement_that_is_better_left_alone(scene: Scene, spared: dict[str, Any]):
    scene.server.add(busy(1, **spared))
    answer, _ = await scene.run(LONG)
    assert (scene.server.asked, answer.changed) == ([], False)
    assert "1 more were left alone" in answer.message


@pytest.mark.parametrize(("verb", "cancelled"), [("VACUUM", 1), ("COMMIT", 0)], ids=["upkeep may", "a commit never"])
async def test_an_allowed_application_may_lose_more(scene: Scene, verb: str, cancelled: int):
    scene.server.add(busy(1, verb=verb))
    await scene.run({"endLongQueries": {"allowApplications": ["orders-*"]}})
    assert len(scene.server.cancelled) == cancelled
