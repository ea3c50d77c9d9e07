"""Places for writes of statuses: bounded, pressing ones first, never lost."""

from __future__ import annotations

import asyncio

import pytest

from ultra_recovery.engine.write_gate import WriteGate

pytestmark = pytest.mark.looptime


class Writers:
    """Writes that take a second each."""

    def __init__(self, gate: WriteGate) -> None:
        self.gate = gate
        self.begun: list[str] = []

    def start(self, name: str, *, pressing: bool = False) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._write(name, pressing=pressing))

    async def _write(self, name: str, *, pressing: bool) -> None:
        async with self.gate.place(pressing=pressing):
            self.begun.append(name)
            await asyncio.sleep(1)  # noqa: TID251 - virtual time


async def test_no_more_than_the_places_are_written_at_once() -> None:
    writers = Writers(WriteGate(2))
    tasks = [writers.start(name) for name in "abc"]
    await asyncio.sleep(0.5)  # noqa: TID251 - virtual time
    assert writers.begun == ["a", "b"]
    await asyncio.gather(*tasks)
    assert writers.begun == ["a", "b", "c"]


async def test_a_pressing_write_goes_before_those_that_wait() -> None:
    writers = Writers(WriteGate(1))
    tasks = [writers.start("a"), writers.start("b"), writers.start("transition", pressing=True)]
    await asyncio.gather(*tasks)
    assert writers.begun == ["a", "transition", "b"]


@pytest.mark.parametrize("seconds", [0.5, 1.0], ids=["in the queue", "as it gets its place"])
async def test_one_that_is_cancelled_costs_no_place(seconds: float) -> None:
    writers = Writers(WriteGate(1))
    first, second, third = writers.start("a"), writers.start("b"), writers.start("c")
    await asyncio.sleep(seconds)  # noqa: TID251 - virtual time
    second.cancel()
    await asyncio.gather(first, third)
    assert "c" in writers.begun
    assert second.cancelled() or "b" in writers.begun
    await writers.start("d")
    assert writers.begun[-1] == "d"
