"""Who leads, until when, and what a process does that slept through its time; on twins, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from ultra_recovery.adapters.memory import FakeClock, MemoryApi, MemoryStore
from ultra_recovery.adapters.memory.faults import Moment
from ultra_recovery.core.errors import NotLeader
from ultra_recovery.core.naming import LEADER_LEASE
from ultra_recovery.engine.leadership import LEASE_DURATION, RENEW_DEADLINE, RETRY, Leadership, LostToAnotherError
from ultra_recovery.ports import LeaseRecord

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

NS = "ultra-recovery"
WHERE = (NS, LEADER_LEASE)


class SleepyClock(FakeClock):
    """Its process can be stopped for a while: time goes on, and nothing of the process does."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0

    def boottime(self) -> float:
        return super().boottime() + self.slept


@dataclass
class Process:
    """One replica."""

    leadership: Leadership
    api: MemoryApi
    clock: SleepyClock
    terms: list[int] = field(default_factory=list)
    leads: bool = False
    task: asyncio.Task[None] | None = None

    async def lead(self, term: int) -> None:
        self.terms.append(term)
        self.leads = True
        try:
            await asyncio.Event().wait()
        finally:
            self.leads = False

    async def stop(self) -> None:
        """As on SIGTERM: all work is cancelled, then the Lease is given back."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.leadership.release()

    def freeze(self, seconds: float) -> None:
        """What was stopped finds that much time gone at its next line."""
        self.clock.slept += seconds


class Stage:
    """Replicas on one API server."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)

    @asynccontextmanager
    async def replica(self, identity: str) -> AsyncIterator[Process]:
        clock = SleepyClock()
        api = MemoryApi(self.clock, self.store)
        process = Process(Leadership(api, clock, NS, identity), api, clock)
        process.task = asyncio.ensure_future(process.leadership.run(process.lead))
        try:
            yield process
        finally:
            process.task.cancel()
            await asyncio.gather(process.task, return_exceptions=True)

    @property
    def lease(self) -> LeaseRecord:
        return self.store.leases[WHERE]

    async def until_leads(self, process: Process) -> float:
        began = self.clock.boottime()
        while not process.leads:
            assert self.clock.boottime() - began < 60
            await self.clock.sleep(0.01)
        return self.clock.boottime() - began


async def test_one_of_two_leads_and_the_other_waits():
    stage = Stage()
    async with stage.replica("one") as one, stage.replica("two") as two:
        await stage.clock.sleep(60)
        assert (one.terms, two.terms) == ([1], [])
        assert one.leadership.check() == 1
        with pytest.raises(NotLeader):
            two.leadership.check()


@pytest.mark.parametrize("after", [10.0, 10.7, 11.3, 11.99])
async def test_a_leader_that_died_is_replaced_within_the_time_of_its_lease_and_one_look(after: float):
    stage = Stage()
    async with stage.replica("two") as two, stage.replica("one") as one:
        stage.store.leases.pop(WHERE, None)
        await stage.clock.sleep(0.3)
        holder, other = (one, two) if one.leads else (two, one)
        await stage.clock.sleep(after)
        assert holder.task is not None
        holder.task.cancel()
        took = await stage.until_leads(other)
    assert LEASE_DURATION - RETRY <= took <= LEASE_DURATION + RETRY + 0.1


@pytest.mark.parametrize("after", [10.0, 10.9, 11.5])
async def test_a_leader_that_was_stopped_is_replaced_at_the_next_look(after: float):
    stage = Stage()
    async with stage.replica("one") as one, stage.replica("two") as two:
        await stage.clock.sleep(after)
        await one.stop()
        assert stage.lease.holder == ""
        assert await stage.until_leads(two) <= RETRY + 0.1


@pytest.mark.parametrize("moment", list(Moment))
async def test_a_leader_that_is_stopped_in_a_renewal_gives_the_lease_back_all_the_same(moment: Moment):
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(1)
        one.api.latency = 0.5
        await stage.clock.sleep(1.2 if moment is Moment.BEFORE else 1.4)
        one.api.latency = 0.0
        if moment is Moment.AFTER:
            # The renewal came through, and its answer did not reach us.
            stage.store.leases[WHERE] = replace(stage.lease, version=stage.store.next_version())
        await one.stop()
        assert stage.lease.holder == ""


async def test_a_replica_that_is_stopped_while_it_takes_the_lease_leaves_none_behind():
    stage = Stage()
    async with stage.replica("one") as one:
        one.api.faults.fail_at(1, Moment.AFTER)
        await stage.clock.sleep(1)
        assert not one.leads
        assert stage.lease.holder == "one"
        await one.stop()
        assert stage.lease.holder == ""


async def test_a_replica_that_never_led_asks_for_nothing_when_it_is_stopped():
    stage = Stage()
    async with stage.replica("one"), stage.replica("two") as two:
        await stage.clock.sleep(5)
        asked = len(two.api.requests)
        await two.stop()
        assert len(two.api.requests) == asked
        assert stage.lease.holder == "one"


async def test_a_frozen_leader_that_goes_on_may_do_nothing_and_ends_when_another_leads():
    stage = Stage()
    async with stage.replica("one") as one, stage.replica("two") as two:
        await stage.clock.sleep(5)
        taken = replace(stage.lease, holder="two", transitions=2, version=stage.store.next_version())
        stage.store.leases[WHERE] = taken
        one.freeze(60)
        with pytest.raises(NotLeader):
            one.leadership.check()
        assert one.leadership.acts_past_lease
        assert one.task is not None
        with pytest.raises(LostToAnotherError):
            await one.task
        assert not one.leads
        changes = [request for request in one.api.requests if request.mutating and request.time >= 5]
        assert [request.result for request in changes] in ([], ["Conflict"])
        assert not one.leadership.acts_past_lease
        del two


async def test_a_leader_that_slept_while_nobody_took_the_lease_leads_anew_in_a_new_term():
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(5)
        one.freeze(60)
        await stage.clock.sleep(5)
        assert one.terms == [1, 2]
        assert one.leadership.check() == 2


async def test_a_leader_whose_lease_another_takes_ends():
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(5)
        stage.store.leases[WHERE] = replace(stage.lease, holder="foreign", version=stage.store.next_version())
        assert one.task is not None
        with pytest.raises(LostToAnotherError, match="foreign"):
            await asyncio.wait_for(one.task, RETRY + 0.5)


async def test_a_leader_ends_when_another_process_of_its_own_name_leads():
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(5)
        async with stage.replica("one") as twin:
            assert one.task is not None
            with pytest.raises(LostToAnotherError):
                await one.task
            assert twin.leadership.check() == 2


async def test_who_only_touches_the_lease_changes_nothing():
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(5)
        stage.store.leases[WHERE] = replace(stage.lease, labels={"touched": "1"}, version=stage.store.next_version())
        await stage.clock.sleep(20)
        assert one.terms == [1]
        assert one.leadership.check() == 1


async def test_without_an_api_server_a_leader_steps_down_at_its_deadline_and_waits():
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(5)
        one.api.faults.outage = True
        began = stage.clock.boottime()
        while one.leads:
            await stage.clock.sleep(0.05)
        assert RENEW_DEADLINE - RETRY <= stage.clock.boottime() - began <= RENEW_DEADLINE + 0.1
        await stage.clock.sleep(60)
        assert one.task is not None
        assert not one.task.done()
        one.api.faults.outage = False
        assert await stage.until_leads(one) <= RETRY + 0.1
        assert one.terms == [1, 2]


async def test_a_server_that_answers_late_does_not_prolong_the_right_to_act():
    stage = Stage()
    async with stage.replica("one") as one:
        await stage.clock.sleep(5)
        one.api.latency = 1.9
        await stage.clock.sleep(30)
        assert one.terms == [1]
        one.api.latency = 2.1
        await stage.clock.sleep(RENEW_DEADLINE + 0.1)
        assert not one.leads


async def test_two_that_take_a_free_lease_at_once_do_not_both_lead():
    stage = Stage()
    async with stage.replica("one") as one, stage.replica("two") as two:
        one.api.latency = two.api.latency = 0.2
        await stage.clock.sleep(3)
        assert one.leads != two.leads
        refused = [request for request in (*one.api.requests, *two.api.requests) if request.result == "AlreadyExists"]
        assert len(refused) <= 1
