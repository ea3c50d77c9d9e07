"""Before the operator begins: the cluster must serve our kinds as new as this version needs them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.adapters.ops_server import OpsServer
from ultra_recovery.ports import Clock
from ultra_recovery.stopping import told_to_stop, unheeded

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds to wait for the CRDs. An upgrade brings both at once, and the API server publishes schemas a moment late."""
_PAUSE = 2.0


async def await_crds(missing: Callable[[], Awaitable[Sequence[str]]], clock: Clock, host: str, port: int) -> int | None:
    """Wait until nothing is missing, and say meanwhile what is: in the log, at /readyz and as a series.

    Nothing else is done. A process that ended at once would be seen by nobody, and a rolling upgrade keeps its old
    pods for as long as the new one is not ready.

    Args:
        missing: gives what the cluster lacks, as sentences.
        clock: for the wait.
        host: address to serve /metrics, /livez and /readyz at.
        port: port to serve them at.

    Returns:
        None when all is there; else the exit code: 1 when the patience is at its end, 0 when it was told to stop.

    Raises:
        ApiError: the API server cannot be asked.
        OSError: the port is taken.
    """
    lacks = list(await missing())
    if not lacks:
        return None
    metrics = MetricsSink()
    metrics.set_crds_outdated(True)
    server = OpsServer(host, port, metrics.render, ready_checks=[lambda: ("crds", False, " ".join(lacks))])
    async with contextlib.AsyncExitStack() as stack:
        stop = told_to_stop()
        stack.callback(unheeded)
        await server.start()
        stack.push_async_callback(server.stop)
        return await _wait(missing, lacks, clock, stop)


async def _wait(
    missing: Callable[[], Awaitable[Sequence[str]]], lacks: list[str], clock: Clock, stop: asyncio.Event
) -> int | None:
    """Look again and again; what is lacking is kept in `lacks`."""
    told: set[str] = set()
    until = clock.boottime() + PATIENCE
    while lacks and clock.boottime() < until and not stop.is_set():
        for sentence in lacks:
            if sentence not in told:
                log.error(sentence)
        told.update(lacks)
        await clock.sleep(_PAUSE)
        lacks[:] = await missing()
    if not lacks:
        return None
    if not stop.is_set():
        log.error("the operator does not start, and nothing was done", extra={"missing": list(lacks)})
    return 0 if stop.is_set() else 1
