"""What the process does about its own memory: no long pauses for garbage, and what is not needed is given back."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc

_YOUNG = 20_000
"""New objects before the youngest are looked through. The usual 700 make that 30 times as frequent, for objects that
are gone by counting references alone."""
_OLDER = 1000
"""Looks at the youngest before one at what is older: as good as never, for that goes by the clock. The usual 10 make
it each minute and a half with ten thousand breakers, and stop them for 0.1 s; with ten, days apart."""
_AFTER_START = (20.0, 100.0, 480.0)
"""Seconds from the first list, and then from one to the next, until what is there has come to stay: kopf lists, too,
its workers end, and on a busy machine the first statuses of ten thousand breakers take minutes."""
_EVERY = 600.0
"""Seconds between looks at all that came since. It is 0.15 s with ten thousand breakers, and otherwise milliseconds;
what recoveries leave would stay without it, and look like a leak."""


async def tend(synced: asyncio.Event) -> None:
    """Leave what has been read at the start out of every later look for garbage, and look at the rest by the clock.

    A full collection over ten thousand breakers stops the process for hundreds of milliseconds, and finds nothing:
    tables are freed by counting references. What is left out is still freed so. Only what the start brought is left
    out: cycles that are alive at the moment would never be found again, and each later one would add some.
    """
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
    await synced.wait()
    # Without a collection, which would come at the moment when everything else is due at once.
    gc.freeze()
    for seconds in _AFTER_START:
        await asyncio.sleep(seconds)  # noqa: TID251 - real time: it is about the process, not about decisions
        # Only over what is new: what was left out before stays so, and the pause is short.
        gc.collect()
        gc.freeze()
        _trim()
    while True:
        await asyncio.sleep(_EVERY)  # noqa: TID251 - real time, as above
        gc.collect()
        _trim()


def _trim() -> None:
    """Give back what was freed: a start frees much. Only glibc keeps it, and only glibc has this."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
