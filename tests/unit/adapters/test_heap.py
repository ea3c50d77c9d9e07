"""What the process does about its own memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from ultra_recovery.adapters import heap

pytestmark = pytest.mark.looptime


class Knot:
    """Refers to itself, so that counting references does not free it."""

    def __init__(self) -> None:
        self.itself = self


@contextlib.asynccontextmanager
async def tended() -> AsyncIterator[asyncio.Event]:
    """The heap of a process that starts; in the end the interpreter is as before."""
    before = gc.get_threshold()
    synced = asyncio.Event()
    task = asyncio.ensure_future(heap.tend(synced))
    try:
        yield synced
    finally:
        task.cancel()
        gc.unfreeze()
        gc.set_threshold(*before)


async def test_what_was_read_at_the_start_is_left_out_of_every_later_look_for_garbage() -> None:
    async with tended() as synced:
        await asyncio.sleep(60)  # noqa: TID251 - virtual time
        assert gc.get_freeze_count() == 0
        synced.set()
        await asyncio.sleep(1)  # noqa: TID251 - virtual time
        assert gc.get_freeze_count() > 0


async def test_what_is_left_of_a_recovery_is_gone_within_ten_minutes_however_old_it_was() -> None:
    async with tended() as synced:
        synced.set()
        await asyncio.sleep(601)  # noqa: TID251 - virtual time
        knot = Knot()
        gc.collect(1)
        gone = weakref.ref(knot)
        del knot
        gc.collect(1)
        assert gone() is not None
        await asyncio.sleep(600)  # noqa: TID251 - virtual time
        assert gone() is None


async def test_later_only_what_the_start_brought_is_left_out() -> None:
    async with tended() as synced:
        synced.set()
        await asyncio.sleep(601)  # noqa: TID251 - virtual time
        left_out = gc.get_freeze_count()
        kept = [Knot() for _ in range(1000)]
        await asyncio.sleep(3600)  # noqa: TID251 - virtual time
        assert gc.get_freeze_count() <= left_out
        assert len(kept) == 1000
