"""Places for probes: bounded for a namespace and for all, in fair turns, and never lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.adapters.slots import Slots

pytestmark = pytest.mark.looptime


class Crowd:
    """Probes that hold their places until they are told to end."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.running: list[str] = []
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._ends: dict[str, list[asyncio.Event]] = {}

    async def __aenter__(self) -> Crowd:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel(*set(self._tasks.values()))

    async def start(self, namespace: str, count: int = 1) -> None:
        for _ in range(count):
            self._tasks[asyncio.ensure_future(self._probe(namespace))] = namespace
        await self.settle()

    async def _probe(self, namespace: str) -> None:
        end = asyncio.Event()
        async with self.slots.place(namespace):
            self.running.append(namespace)
            self._ends.setdefault(namespace, []).append(end)
            try:
                await end.wait()
            finally:
                self.running.remove(namespace)

    async def end(self, namespace: str) -> None:
        self._ends[namespace].pop(0).set()
        await self.settle()

    async def cancel(self, *namespaces: str) -> None:
        for task, namespace in list(self._tasks.items()):
            if namespace in namespaces:
                task.cancel()
        await self.settle()

    @staticmethod
    async def settle() -> None:
        await FakeClock().sleep(0.001)


async def test_a_namespace_has_its_bound_and_others_do_not_wait_for_it():
    async with Crowd(Slots(per_namespace=2, at_once=10)) as crowd:
        await crowd.start("slow", 5)
        await crowd.start("other", 1)
        assert Counter(crowd.running) == {"slow": 2, "other": 1}
        await crowd.end("slow")
        assert Counter(crowd.running) == {"slow": 2, "other": 1}


async def test_all_together_have_their_bound():
    async with Crowd(Slots(per_namespace=2, at_once=3)) as crowd:
        for name in "abcd":
            await crowd.start(name, 2)
        assert len(crowd.running) == 3


async def test_a_freed_place_goes_to_the_namespace_that_holds_the_fewest():
    async with Crowd(Slots(per_namespace=4, at_once=5)) as crowd:
        await crowd.start("many", 9)
        await crowd.start("few", 3)
        assert Counter(crowd.running) == {"many": 4, "few": 1}
        await crowd.end("many")
        await crowd.end("many")
        assert Counter(crowd.running) == {"many": 3, "few": 2}


async def test_equals_take_turns():
    async with Crowd(Slots(per_namespace=5, at_once=1)) as crowd:
        await crowd.start("a", 3)
        await crowd.start("b", 3)
        order = []
        for _ in range(6):
            (name,) = crowd.running
            order.append(name)
            await crowd.end(name)
        assert order == list("aababb")


async def test_one_who_was_cancelled_in_the_queue_or_at_work_leaves_nothing_behind():
    async with Crowd(Slots(per_namespace=2, at_once=3)) as crowd:
        await crowd.start("a", 9)
        await crowd.start("b", 9)
        await crowd.cancel("a")
        assert Counter(crowd.running) == {"b": 2}
        await crowd.cancel("b")
        await crowd.start("c", 2)
        await crowd.start("d", 2)
        assert Counter(crowd.running) == {"c": 2, "d": 1}


async def test_one_who_is_cancelled_at_the_moment_of_its_turn_gives_the_place_back():
    slots = Slots(per_namespace=1, at_once=1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(slots.place("a"))
        waiting = asyncio.ensure_future(stack_free(slots))
        await Crowd.settle()
        await stack.aclose()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), slots.place("c"):
        pass


async def stack_free(slots: Slots) -> None:
    async with slots.place("b"):
        await Crowd.settle()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["start", "end", "cancel"])), max_size=40))
def test_whatever_comes_and_goes_no_place_is_lost_or_made(story: list[tuple[str, str]]):
    async def play() -> None:
        async with Crowd(Slots(per_namespace=2, at_once=4)) as crowd:
            for name, what in story:
                if what == "start":
                    await crowd.start(name)
                elif what == "cancel":
                    await crowd.cancel(name)
                elif name in crowd.running:
                    await crowd.end(name)
                assert len(crowd.running) <= 4
                assert all(count <= 2 for count in Counter(crowd.running).values())
            await crowd.cancel(*"abc")
            await crowd.start("x", 3)
            await crowd.start("y", 3)
            assert Counter(crowd.running) == {"x": 2, "y": 2}

    asyncio.run(play())
