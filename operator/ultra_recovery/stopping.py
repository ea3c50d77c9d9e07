"""How a process hears that it has to end: by SIGTERM, as Kubernetes asks, or by SIGINT, as a person does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def on_stop(call: Callable[..., object], *arguments: object) -> None:
    """From now on `call` is called when this process is told to end, in place of what was called before."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, call, *arguments)


def unheeded() -> None:
    """Nothing is called any more: a signal does what it does by itself."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.remove_signal_handler(number)


def told_to_stop() -> asyncio.Event:
    """An event that is set when this process is told to end."""
    stop = asyncio.Event()
    on_stop(stop.set)
    return stop
