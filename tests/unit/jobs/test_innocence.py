"""No innocent session is ever ended, whatever the table of sessions looks like and whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.jobs.scene import Scene
from ultra_recovery.adapters.memory.database_server import Backend
from ultra_recovery.core.database_session import SessionState

NAMES = (*["orders-web"] * 4, "orders-job", "pg_dump", "billing", "orders-migrate", "ultra-recovery-probe", "")
VERBS = (*["SELECT"] * 4, "UPDATE", "VACUUM", "CREATE INDEX", "COMMIT", "COPY", "")

backends = st.builds(
    Backend,
    pid=st.just(0),
    user=st.sampled_from([*["orders"] * 5, "billing"]),
    database=st.sampled_from([*["orders"] * 5, "billing"]),
    application=st.sampled_from(NAMES),
    address=st.sampled_from(["10.1.0.1", "10.1.0.2", ""]),
    state=st.sampled_from(list(SessionState)),
    since=st.one_of(st.floats(-10_000, 0), st.floats(-100, 0)),
    verb=st.sampled_from(VERBS),
    guard=st.sampled_from([*[""] * 6, "waits for a synchronous standby", "is a superuser"]),
    blocks=st.integers(0, 3),
    waits=st.sampled_from([False, False, False, True]),
    stubborn=st.booleans(),
)
moves = st.lists(st.tuples(st.integers(0, 29), st.sampled_from([*SessionState, "gone", "reused"])), max_size=10)
actions = st.fixed_dictionaries(
    {
        "maxSessions": st.integers(1, 30),
        "allowApplications": st.lists(st.sampled_from(["orders-*", "*", "pg_dump"]), max_size=2, unique=True),
        "denyApplications": st.lists(st.sampled_from(["*job", "billing"]), max_size=2, unique=True),
    }
)


def is_guilty(backend: Backend, kind: str, spec: dict[str, Any], at: float) -> bool:
    """Judged anew, from the issue's own words and not from the code's."""
    app = backend.application
    mine = backend.user == "orders" and backend.database == "orders" and not backend.guard
    protected = app in {"pg_dump", "orders-migrate", "ultra-recovery-probe"}
    denied = ("*job" in spec["denyApplications"] and app.endswith("job")) or (
        "billing" in spec["denyApplications"] and app == "billing"
    )
    allow = spec["allowApplications"]
    allowed = not allow or "*" in allow or ("orders-*" in allow and app.startswith("orders-"))
    if not mine or protected or denied or not allowed:
        return False
    age = at - backend.since
    if backend.state is SessionState.IDLE_IN_TRANSACTION:
        return kind != "endLongQueries" and age >= 30
    if backend.state is SessionState.IDLE:
        return kind == "refreshPool" and age >= 3600
    upkeep = backend.verb in {"VACUUM", "CREATE INDEX", "COPY"} and not allow
    slow = backend.state is SessionState.ACTIVE and age >= 60
    return kind == "endLongQueries" and slow and not backend.waits and not upkeep and backend.verb != "COMMIT"


class Watched(Scene):
    """Judges every session in the moment in which it is signalled."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.moves: list[tuple[int, Any]] = []
        self.asked: list[tuple[float, Backend]] = []
        self.server.before_signal = self.move

    def move(self) -> None:
        """Note whom the Job wants to signal; then comes what the application does between the look and the signal."""
        now = self.clock.boottime()
        there = {item.seen(now).id: item for item in self.server.backends.values()}
        self.asked += [(now, replace(there[item])) for item in self.server.asked if item in there]
        self.server.asked = []
        for pid, what in self.moves:
            backend = self.server.backends.get(pid)
            if backend is None:
                continue
            if what == "gone":
                del self.server.backends[pid]
            elif what == "reused":
                backend.start, backend.since = "second", self.clock.boottime()
            else:
                backend.state, backend.since = what, self.clock.boottime()
        self.moves = []


@pytest.mark.parametrize("kind", ["closeStaleConnections", "endLongQueries", "refreshPool"])
@settings(max_examples=300)
@given(table=st.lists(backends, min_size=8, max_size=30), moved=moves, spec=actions)
def test_no_innocent_session_is_ever_ended(kind: str, table: list[Backend], moved: list[Any], spec: dict[str, Any]):
    async def once() -> None:
        scene = Watched()
        for pid, backend in enumerate(table):
            backend.pid = pid
            scene.server.add(backend)
        scene.moves = moved
        hit = scene.server.ended
        answer, code = await scene.run({kind: spec}, recycleSeconds=3600)
        assert code == 0
        # What the Job asks for, and what the server lets happen to it, are two guards: each must do by itself.
        assert [item for at, item in [*scene.asked, *hit] if not is_guilty(item, kind, spec, at)] == []
        assert [item for item in scene.server.cancelled if not is_guilty(item, kind, spec, 0)] == []
        # One cap for each of the two kinds of measures of a refresh.
        assert len(hit) <= spec["maxSessions"] * (2 if kind == "refreshPool" else 1)
        assert answer.changed == bool(hit or scene.server.cancelled)
        assert len(answer.to_text()) <= 2048

    loop = looptime.new_event_loop()
    try:
        loop.run_until_complete(once())
    finally:
        loop.close()
