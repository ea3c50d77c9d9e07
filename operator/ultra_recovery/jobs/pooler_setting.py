"""Changing a setting of a pooler and taking it back: only while it has the value that we know, never over another's."""

from __future__ import annotations

from ultra_recovery.job_ports import PoolerConsole


async def swap(console: PoolerConsole, name: str, before: int, after: int) -> int:
    """Set a setting to `after` if it is `before`; its value as it is then.

    Raises:
        DatabaseFault: the console did not answer, or does not know the setting.
    """
    present = await value_of(console, name)
    if present != before:
        return present
    await console.set(name, after)
    return await value_of(console, name)


async def value_of(console: PoolerConsole, name: str) -> int:
    """The value in force, in whole units; -1 when it is no number."""
    text = await console.config(name)
    try:
        return int(float(text))
    except ValueError:
        return -1
