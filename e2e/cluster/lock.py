"""One command at a time may change the cluster."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.console import Console


@contextmanager
def exclusive(path: Path, console: Console) -> Iterator[None]:
    """Waits for other commands to finish, and says so; the lock ends with the process at the latest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with console.step("waiting for another command that is changing the cluster"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
