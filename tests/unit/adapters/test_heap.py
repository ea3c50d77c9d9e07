"""What the process does about its own memory."""

from __future__ import annotations

import asyncio
import gc

import pytest

from ultra_recovery.adapters import heap

pytestmark = pytest.mark.looptime


async def test_what_was_read_at_the_start_is_left_out_of_every_later_look_for_garbage() -> None:
    before = gc.get_threshold()
    try:
        synced = asyncio.Event()
        task = asyncio.ensure_future(heap.settle(synced))
        await asyncio.sleep(60)  # noqa: TID251 - virtual time
        assert gc.get_freeze_count() == 0
        synced.set()
        await task
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
