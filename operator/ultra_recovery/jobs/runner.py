"""Runs one action to its end, its deadline, or the signal to stop, and makes its answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ultra_recovery.core.database_fault import DatabaseFault
from ultra_recovery.core.database_request import DatabaseAnswer, DatabaseRequest, Part
from ultra_recovery.jobs.acting import explain
from ultra_recovery.jobs.close_stale import close_stale
from ultra_recovery.jobs.long_queries import end_long_queries
from ultra_recovery.jobs.raise_pool import raise_pool
from ultra_recovery.jobs.reconnect import reconnect
from ultra_recovery.jobs.refresh_pool import refresh_pool
from ultra_recovery.jobs.undo import undo
from ultra_recovery.jobs.work import AlreadyBegun, JobFailed, NothingDone, Work

log = logging.getLogger(__name__)
TIDYING = 3.0
"""Seconds that an action gets to set back what it must when it is stopped."""


def seconds_of(request: DatabaseRequest) -> float:
    """How long the work itself may take: less than Kubernetes allows, which counts from before the pod was there."""
    allowed = float(request.deadline_seconds)
    reserve = min(max(2.0, allowed * 0.15), 10.0)
    return max(allowed - reserve, 1.0) + request.restore_after_seconds


def action_of(request: DatabaseRequest) -> Callable[[Work], Awaitable[str]]:
    """What is to be done.

    Raises:
        JobFailed: the request names no action that is known.
    """
    if request.part is not Part.DO:
        return undo
    action = request.action
    actions: tuple[tuple[object, Callable[[Work], Awaitable[str]]], ...] = (
        (action.reconnect_database, reconnect),
        (action.refresh_pool, refresh_pool),
        (action.close_stale_connections, close_stale),
        (action.end_long_queries, end_long_queries),
        (action.raise_pool_size, raise_pool),
    )
    for part, perform in actions:
        if part is not None:
            return perform
    raise JobFailed("the request names no action on a database")


async def run(work: Work) -> tuple[DatabaseAnswer, int]:
    """Carry the request out; the answer, and the exit code: 0 when that was possible, 1 when it was not."""
    task = asyncio.ensure_future(_perform(work))
    stopped = asyncio.ensure_future(_stopped(work))
    try:
        await asyncio.wait({task, stopped}, timeout=work.left, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and stopped.done():
            # What waits to restore does so now; everything else is broken off.
            await asyncio.wait({task}, timeout=TIDYING if work.request.part is Part.RESTORE_LATER else 0)
        if task.done():
            return task.result()
        why = "it was told to stop" if stopped.done() else "its time was over"
        task.cancel()
        await asyncio.wait({task}, timeout=TIDYING)
        return work.notes.answer(f"the work was broken off because {why}; see what was done until then"), 1
    finally:
        stopped.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stopped


async def _stopped(work: Work) -> None:
    await work.stop.wait()


async def _perform(work: Work) -> tuple[DatabaseAnswer, int]:
    try:
        message = await action_of(work.request)(work)
    except (NothingDone, AlreadyBegun) as answer:
        # What an earlier pod did counts as a change: whether it helped is for the run to verify.
        work.notes.changed = work.notes.changed or isinstance(answer, AlreadyBegun)
        return work.notes.answer(str(answer)), 0
    except JobFailed as failure:
        return work.notes.answer(str(failure)), 1
    except DatabaseFault as fault:
        return work.notes.answer(explain(fault)), 1
    except Exception:
        # The answer is all that a person gets to see of this pod.
        log.exception("the action failed unexpectedly")
        return work.notes.answer("the action failed unexpectedly; the pod's log says more"), 1
    return work.notes.answer(message), 0
