"""Writing a breaker's status while reporters write into the same object, each as often as once a second."""

from __future__ import annotations

import json
from collections.abc import Callable

from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus
from ultra_recovery.core.errors import Conflict
from ultra_recovery.core.objects import Breaker, encode_status
from ultra_recovery.engine.record import Recorder

_TRIES = 6
"""Between reading and writing lie milliseconds; with many reporters a few tries may still be overtaken."""
_OF_OTHERS = ("reporters", "trial")


async def write_over_reports(
    recorder: Recorder, item: Breaker, status_for: Callable[[CircuitBreakerStatus], CircuitBreakerStatus]
) -> Breaker:
    """Write what `status_for` makes of the stored status, and return the object that was written over.

    A report that came in between changes nothing that the status was computed from but reports: the write is tried
    again at once over what is stored now. The watch may be a tenth of a second behind, so that waiting for it would
    never end while many report. The reports themselves are looked at in the look that the watch asks for.

    Raises:
        NotLeader: this process may not act now.
        Conflict: something else changed, or reports came too thick: look again.
    """
    for _ in range(_TRIES - 1):
        try:
            await recorder.write(item, status_for(item.status))
        except Conflict:
            fresh = await recorder.reread(item)
            if fresh is None or _essence(fresh) != _essence(item):
                raise
            item = fresh
        else:
            return item
    await recorder.write(item, status_for(item.status))
    return item


def _essence(item: Breaker) -> tuple[object, ...]:
    """All that the operator computes a status from, but what others write into it."""
    stored = json.loads(item.raw_status)
    own = {name: value for name, value in stored.items() if name not in _OF_OTHERS}
    meta = item.meta
    return meta.uid, meta.generation, meta.deleting, dict(meta.annotations), encode_status(own)
