"""What the process does about its own memory: no long pauses for garbage, and what a start needed is given back."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc

_YOUNG = 20_000
"""New objects before the youngest are looked through. The usual 700 make that 30 times as frequent, for objects that
are gone by counting references alone; and each tenth of those passes looks through more."""
_AFTER_START = (20.0, 100.0, 480.0)
"""Seconds from the first list, and then from one to the next, until what is there has come to stay: kopf lists, too,
its workers end, and on a busy machine the first statuses of ten thousand breakers take minutes."""


async def settle(synced: asyncio.Event) -> None:
    """Leave what has been read at the start out of every later look for garbage, and trim the heap.

    A full collection over ten thousand breakers stops the process for hundreds of milliseconds, and finds nothing:
    tables are freed by counting references. What is left out is still freed so.
    """
    gc.set_threshold(_YOUNG, 10, 10)
    await synced.wait()
    # Without a collection, which would come at the moment when everything else is due at once.
    gc.freeze()
    for seconds in _AFTER_START:
        await asyncio.sleep(seconds)  # noqa: TID251 - real time: it is about the process, not about decisions
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _trim()


def _trim() -> None:
    """Give back what was freed: a start frees much. Only glibc keeps it, and only glibc has this."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
