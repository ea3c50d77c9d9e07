"""The queue: what was refused waits as long as the API server asked for, whatever happens meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.core.errors import TooManyRequests, Unavailable
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.engine.queue import WorkQueue

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
KEY = Key(Kind.RUN, "shop", "web-1-1")


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        pytest.param(TooManyRequests("busy", retry_after=7), 7.0, id="as-long-as-asked"),
        pytest.param(TooManyRequests("busy", retry_after=3600), 30.0, id="not-for-ever"),
        pytest.param(Unavailable("no answer"), 0.1, id="an-event-shortens-a-back-off-of-our-own"),
    ],
)
async def test_a_key_that_was_refused_is_looked_at_again_when_the_server_wants(error: Exception, wait: float):
    clock = FakeClock()
    looks: list[float] = []

    async def look(key: Key) -> float | None:
        looks.append(clock.boottime())
        if len(looks) == 1:
            raise error
        return None

    queue = WorkQueue("runs", look, clock)
    task = asyncio.ensure_future(queue.run())
    queue.add(KEY)
    for _ in range(400):
        await clock.sleep(0.1)
        queue.add(KEY) if len(looks) < 2 else None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert looks[1] - looks[0] == pytest.approx(wait, abs=0.11)


async def test_the_lag_is_that_of_the_key_that_has_been_due_or_in_work_for_longest():
    clock = FakeClock()

    async def look(key: Key) -> float | None:
        await clock.sleep(40.0)
        return 5.0

    queue = WorkQueue("runs", look, clock)
    assert queue.lag == 0.0
    task = asyncio.ensure_future(queue.run())
    queue.add(KEY)
    await clock.sleep(30)
    queue.add(KEY)
    assert queue.lag == pytest.approx(30.0, abs=0.1)
    await clock.sleep(30)
    assert queue.lag == pytest.approx(20.0, abs=0.2), "the second look began when the first had ended"
    await clock.sleep(22)
    assert queue.lag == 0.0, "it is due again in five seconds"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_thousand_keys_that_are_due_at_once_leave_turns_for_everything_else():
    clock = FakeClock()
    begun = 0

    async def look(_: Key) -> float | None:
        nonlocal begun
        begun += 1
        return None

    queue = WorkQueue("breakers", look, clock)
    for number in range(1000):
        queue.add(Key(Kind.BREAKER, "shop", f"db-{number}"))
    task = asyncio.ensure_future(queue.run())
    most, before = 0, 0
    while begun < 1000:
        await clock.sleep(0)
        most, before = max(most, begun - before), begun
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert most <= 64
    assert clock.boottime() == 0.0
