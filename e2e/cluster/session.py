"""Running a command on a cluster, and taking the cluster down afterwards if it was created for that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from e2e.cluster.process import Identity, Record

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedByUserError(Exception):
    """A signal arrived while no command was running."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.code = 128 + number


class Signals:
    """Passes signals to the running command; without one, a signal ends this programme in good order."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.deaf = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.deaf:
            return
        if self.child is None:
            raise InterruptedByUserError(number)
        if number == signal.SIGINT and sys.stdin.isatty():
            return  # the terminal has told the command already
        with suppress(ProcessLookupError):
            self.child.send_signal(number)

    @contextmanager
    def installed(self) -> Iterator[Signals]:
        """Handles the signals for the time of a block."""
        before = {number: signal.signal(number, self) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def execute(argv: Sequence[str], environment: Mapping[str, str], signals: Signals) -> int:
    """Runs a command in the foreground and returns its exit code (128 + number when a signal ended it)."""
    try:
        child = subprocess.Popen(argv, env={**os.environ, **environment})
    except OSError as error:
        print(f"error: cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
        return 127
    signals.child = child
    try:
        code = child.wait()
    finally:
        signals.child = None
    return code if code >= 0 else 128 - code


class Guests:
    """The ``run`` calls that use one cluster: the last one to leave takes a temporary cluster down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def enter(self, pid: int) -> None:
        identity = Identity.of(pid)
        if identity:
            Record(self._folder, str(pid)).write(identity)

    def leave(self, pid: int) -> None:
        Record(self._folder, str(pid)).forget()

    def present(self) -> list[int]:
        """Ids of the calls that still run."""
        names = sorted(path.stem for path in self._folder.glob("*.pid")) if self._folder.exists() else []
        return [identity.pid for name in names if (identity := Record(self._folder, name).read())]


def visit(
    guests: Guests, temporary: Path, created: bool, keep: bool, work: Callable[[], int], leave: Callable[[], None]
) -> int:
    """Does work as a guest of a cluster.

    Args:
        guests: Who else uses the cluster.
        temporary: The mark of a cluster that goes away with its last guest.
        created: This call created the cluster.
        keep: It stays up whatever happens.
        work: What to do; its answer is returned.
        leave: Takes the cluster down.
    """
    me = os.getpid()
    if created and not keep:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    elif keep:
        temporary.unlink(missing_ok=True)
    guests.enter(me)
    try:
        return work()
    finally:
        guests.leave(me)
        if temporary.exists() and not guests.present():
            leave()
