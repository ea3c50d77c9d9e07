"""Progress lines: every one carries the time, and a long step shows that it is still alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

HEARTBEAT_SECONDS = 30.0
QUICK_SECONDS = 2.0


class Console:
    """Writes progress lines to one stream."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock

    def say(self, text: str) -> None:
        """Writes one line, with the time in front."""
        print(time.strftime("%H:%M:%S"), text, file=self._out, flush=True)

    @contextmanager
    def step(self, text: str, log: Path | None = None, every: float = HEARTBEAT_SECONDS) -> Iterator[None]:
        """Announces a step, repeats a line while it lasts, and says how long it took.

        Args:
            text: What is being done.
            log: A file the step writes to; its last line is shown with each heartbeat.
            every: Seconds between two heartbeat lines.
        """
        self.say(f"{text} …")
        begun, ended = self._clock(), threading.Event()

        def beat() -> None:
            while not ended.wait(every):
                where = last_line(log) if log else ""
                self.say(f"  … still at it after {self._clock() - begun:.0f} s: {text}{where and f' | {where}'}")

        pulse = threading.Thread(target=beat, daemon=True)
        pulse.start()
        try:
            yield
        finally:
            ended.set()
            pulse.join()
        took = self._clock() - begun
        if took >= QUICK_SECONDS:
            self.say(f"  done in {took:.0f} s")


def last_line(path: Path, limit: int = 120) -> str:
    """The last non-empty line of a file, shortened; empty when there is none."""
    lines = tail(path, 1)
    return lines[0][:limit] if lines else ""


def tail(path: Path, count: int) -> list[str]:
    """The last non-empty lines of a file, oldest first."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 16384))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
