"""Changing a setting of a pooler and taking it back: only while it has the value that we know, never over another's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ultra_recovery.core.database_fault import DatabaseFault, FaultKind
from ultra_recovery.job_ports import PoolerConsole
from ultra_recovery.jobs.work import Notes


@dataclass(frozen=True, slots=True)
class Swapped:
    """What came of a swap: whether the value was changed, and what it is now."""

    done: bool
    value: int


async def swap(console: PoolerConsole, name: str, before: int, after: int) -> Swapped:
    """Set a setting to `after` if it is `before`.

    Raises:
        DatabaseFault: the console did not answer, or does not know the setting, or does not let us.
    """
    present = await value_of(console, name)
    if present != before:
        return Swapped(False, present)
    await console.set(name, after)
    present = await value_of(console, name)
    return Swapped(present == after, present)


async def noted_swap(notes: Notes, console: PoolerConsole, name: str, before: int, after: int) -> Swapped:
    """As `swap`; broken off, the notes say that something was changed unless it is certain that nothing was."""
    try:
        return await swap(console, name, before, after)
    except DatabaseFault as fault:
        notes.changed = notes.changed or fault.kind is not FaultKind.RIGHTS
        raise
    except asyncio.CancelledError:
        notes.changed = True
        raise


async def value_of(console: PoolerConsole, name: str) -> int:
    """The value in force, in whole units; -1 when it is no number."""
    text = await console.config(name)
    try:
        return int(float(text))
    except ValueError:
        return -1
