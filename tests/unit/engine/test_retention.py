"""Retention at work on a pretended API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.specs import SPECS
from tests.unit.engine.world import NS, World
from ultra_recovery.adapters.memory import MemoryApi
from ultra_recovery.adapters.memory.store import timestamp
from ultra_recovery.apis.meta import API_VERSION
from ultra_recovery.core.errors import ApiError, NotLeader
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.core.parsing import parse
from ultra_recovery.core.recent_runs import recent_runs
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.retention import EVERY, MOST_PER_ROUND, Retention
from ultra_recovery.engine.table import Table

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
DAY = 24 * 3600.0


class Stage:
    """A store with runs and policies, and a leader that tidies up."""

    def __init__(self) -> None:
        self.world = World()
        self.api = MemoryApi(self.world.clock, self.world.store)
        self.table = Table()
        self.leadership = Leadership(self.api, self.world.clock, "ultra-recovery", "one")
        self.retention = Retention(self.table, self.api, self.leadership, self.world.clock)
        self.world.store.subscribe(lambda kind, document, deleted: self.table.apply(kind, document, deleted=deleted))

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        led = asyncio.Event()

        async def lead(term: int) -> None:
            led.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(self.leadership.run(lead))
        await led.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def run(self, name: str, phase: str = "Succeeded", age: float = 9 * DAY, policy: str = "web") -> None:
        moment = timestamp(self.world.clock.now() - timedelta(seconds=age))
        status = {"phase": phase, "startedAt": moment, "finishedAt": moment if phase != "Running" else None}
        self.world.store.add(
            Kind.RUN,
            {
                "metadata": {"name": name, "namespace": NS, "creationTimestamp": moment},
                "spec": {**SPECS["RecoveryRun"], "policyName": policy},
                "status": {key: value for key, value in status.items() if value},
            },
        )

    def remember(self, name: str = "web", **history: int) -> None:
        """Apply a policy that keeps so many runs and remembers all there are."""
        runs = [item for item in self.objects() if item.spec is not None and item.spec.policy_name == name]
        recents = [item.to_wire() for item in recent_runs([], runs, self.world.clock.now())]
        meta = {"name": name, "namespace": NS}
        spec = {**SPECS["RecoveryPolicy"], "history": history}
        document = {"apiVersion": API_VERSION, "metadata": meta, "spec": spec, "status": {"recentRuns": recents}}
        self.world.store.add(Kind.POLICY, document)

    def objects(self) -> list[Run]:
        documents = sorted(self.world.store.documents.items())
        items = [parse(Kind.RUN, document) for key, document in documents if key.kind is Kind.RUN]
        return [item for item in items if isinstance(item, Run)]

    def names(self) -> list[str]:
        return [item.meta.key.name for item in self.objects()]


async def test_what_the_history_does_not_keep_is_deleted_every_half_minute():
    stage = Stage()
    for index in range(4):
        stage.run(f"r{index}", age=9 * DAY - index)
    stage.run("active", "Running")
    stage.remember(succeeded=2)
    async with stage.leading():
        task = asyncio.ensure_future(stage.retention.run())
        await stage.world.clock.sleep(EVERY - 1)
        assert len(stage.names()) == 5
        await stage.world.clock.sleep(2)
        assert stage.names() == ["active", "r2", "r3"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_round_deletes_a_bounded_number():
    stage = Stage()
    for index in range(MOST_PER_ROUND + 3):
        stage.run(f"r{index}", "Cancelled", age=40 * DAY - index, policy="gone")
    async with stage.leading():
        assert await stage.retention.tidy_up() == MOST_PER_ROUND
        await stage.world.clock.sleep(1)
        assert await stage.retention.tidy_up() == 3
    assert stage.names() == []


async def test_runs_of_a_deleted_policy_are_kept_for_the_ttl():
    stage = Stage()
    stage.run("old", age=31 * DAY, policy="gone")
    stage.run("new", age=29 * DAY, policy="gone")
    async with stage.leading():
        await stage.retention.tidy_up()
    assert stage.names() == ["new"]


async def test_runs_of_a_policy_that_cannot_be_read_are_kept():
    stage = Stage()
    stage.run("old", age=99 * DAY)
    document = {"metadata": {"name": "web", "namespace": NS}, "spec": {"mode": "Sideways"}}
    stage.world.store.add(Kind.POLICY, document)
    async with stage.leading():
        await stage.retention.tidy_up()
    assert stage.names() == ["old"]


async def test_more_than_a_thousand_completed_runs_of_a_namespace_are_not_kept():
    stage = Stage()
    for index in range(1002):
        stage.run(f"r{index:04}", age=9000 - index)
    async with stage.leading():
        assert await stage.retention.tidy_up() == 2
    assert stage.names()[0] == "r0002"


async def test_a_run_that_is_gone_or_another_by_now_does_not_stop_the_round():
    stage = Stage()
    for index in range(3):
        stage.run(f"r{index}", age=40 * DAY - index, policy="gone")
    stage.world.store.watch_delay = None
    stage.world.store.remove(Key(Kind.RUN, NS, "r0"))
    stage.world.store.remove(Key(Kind.RUN, NS, "r1"))
    stage.run("r1", age=1, policy="gone")
    async with stage.leading():
        assert await stage.retention.tidy_up() == 1
    assert stage.names() == ["r1"]


async def test_nobody_deletes_without_leading():
    stage = Stage()
    stage.run("old", age=40 * DAY, policy="gone")
    await stage.world.clock.sleep(1)
    with pytest.raises(NotLeader):
        await stage.retention.tidy_up()
    assert stage.names() == ["old"]


async def test_an_outage_ends_the_round_and_the_next_one_goes_on():
    stage = Stage()
    stage.run("old", age=40 * DAY, policy="gone")
    async with stage.leading():
        stage.api.faults.fail_at(1)
        with pytest.raises(ApiError):
            await stage.retention.tidy_up()
        assert await stage.retention.tidy_up() == 1
