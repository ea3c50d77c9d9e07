"""A timeline on the terminal, told from records as soon as they are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

Moment = tuple[str | None, str]
"""When it happened, as a record says it (None: it was seen just now), and what: a subject, a colon, a sentence."""
LOOK = 0.2


def parse(text: str) -> datetime:
    """A time of a record."""
    return datetime.fromisoformat(text)


class Show:
    """Prints a timeline whose zero is the moment of the fault."""

    def __init__(self) -> None:
        self.zero = datetime.now(UTC)

    def begin(self, title: str) -> None:
        print(f"\n── {title}", flush=True)
        self.zero = datetime.now(UTC)

    def line(self, when: str | None, text: str) -> None:
        moment = parse(when) if when else datetime.now(UTC)
        print(f"   {(moment - self.zero).total_seconds():7.2f} s  {text}", flush=True)

    def say(self, text: str) -> None:
        print(f"   {text}", flush=True)

    def follow(self, look: Callable[[], Iterable[Moment]], ended: Callable[[], bool], seconds: float) -> bool:
        """Print every moment once, as soon as it is there; whether the end came in time.

        The sentence of a record may be put more precisely later; the moment is the same and is not told again.
        """
        seen: set[tuple[str | None, str]] = set()
        deadline = time.monotonic() + seconds
        while True:
            over = ended()
            for when, text in sorted(look(), key=lambda moment: (moment[0] is None, moment[0] or "")):
                key = (when, text.partition(":")[0] if when else text)
                if key not in seen:
                    seen.add(key)
                    self.line(when, text)
            if over or time.monotonic() > deadline:
                return over
            time.sleep(LOOK)
