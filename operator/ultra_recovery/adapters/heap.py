"""What the process does about its own memory: no long pauses for garbage, and what a start needed is given back."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc

_YOUNG = 20_000
"""New objects before the youngest are looked through. The usual 700 make that 30 times as frequent, for objects that
are gone by counting references alone; and each tenth of those passes looks through more."""
_AFTER_START = 20.0
"""Seconds from the first list until the start is over: kopf has listed, too, and its workers are gone."""


async def settle(synced: asyncio.Event) -> None:
    """Once the start is over, leave all that has been read out of every later look for garbage, and trim the heap.

    A full collection over ten thousand breakers stops the process for hundreds of milliseconds, and finds nothing:
    tables are freed by counting references. What is left out is still freed so.
    """
    gc.set_threshold(_YOUNG, 10, 10)
    await synced.wait()
    await asyncio.sleep(_AFTER_START)  # noqa: TID251 - real time: it is about the process, not about decisions
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        # glibc only. It keeps what was freed; a start frees much.
        ctypes.CDLL(None).malloc_trim(0)
