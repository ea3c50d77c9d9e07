"""Processes that outlive the command that started them, recognised by id, start time and boot."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.problem import ProblemError

PROC = Path("/proc")
ENDED_STATES = "ZX"


@dataclass(frozen=True)
class Identity:
    """One process of one boot: a reused id gives another identity."""

    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, pid: int, proc: Path = PROC) -> Identity | None:
        """The identity of a running process; None when there is none or it is only waiting to be reaped."""
        try:
            fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
            boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
        ended = fields[0] in ENDED_STATES and not _has_other_threads(proc / str(pid))
        return None if ended else cls(pid, int(fields[19]), boot)

    def alive(self, proc: Path = PROC) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid, proc) == self


def _has_other_threads(folder: Path) -> bool:
    """Whether threads outlive the first one: the process then looks dead but still holds its files and ports."""
    try:
        return len(list((folder / "task").iterdir())) > 1
    except OSError:
        return False


class Record:
    """The files that remember one process: ``NAME.pid`` holds the id alone, ``NAME.identity`` the whole identity."""

    def __init__(self, folder: Path, name: str, proc: Path = PROC) -> None:
        self.name = name
        self._pid = folder / f"{name}.pid"
        self._identity = folder / f"{name}.identity"
        self._proc = proc

    def write(self, identity: Identity) -> None:
        self._pid.parent.mkdir(parents=True, exist_ok=True)
        self._identity.write_text(f"{identity.pid} {identity.start} {identity.boot}\n")
        self._pid.write_text(f"{identity.pid}\n")

    def read(self) -> Identity | None:
        """The remembered process if it still runs; never another one that got its id."""
        try:
            pid, start, boot = self._identity.read_text().split()
            identity = Identity(int(pid), int(start), boot)
        except (OSError, ValueError):
            return None
        return identity if identity.alive(self._proc) else None

    def forget(self) -> None:
        self._pid.unlink(missing_ok=True)
        self._identity.unlink(missing_ok=True)


def start(argv: Sequence[str], log: Path, record: Record) -> None:
    """Starts a process in a session of its own and remembers it.

    Args:
        argv: The program and its arguments. A wrapper in front must replace itself by the program, not fork.
        log: The file both output streams are appended to.
        record: Where the process is remembered.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    child.returncode = 0  # it is meant to outlive this object, which would otherwise complain
    identity = Identity.of(child.pid)
    if identity:
        record.write(identity)


def stop(records: Sequence[Record], patience: float = 15.0) -> None:
    """Ends processes together, politely at first, and returns when all of them are gone.

    Raises:
        ProblemError: One could not be ended; its files are kept.
    """
    running = {record: identity for record in records if (identity := record.read())}
    for sign in (signal.SIGTERM, signal.SIGKILL):
        send(running.values(), sign)
        wait_until_gone(running.values(), patience)
        running = {record: identity for record, identity in running.items() if identity.alive()}
    if running:
        names = ", ".join(f"{record.name} (pid {identity.pid})" for record, identity in running.items())
        raise ProblemError(f"cannot end {names}", "look at the process; its state is kept until it is gone")
    for record in records:
        record.forget()


def send(identities: Iterable[Identity], sign: signal.Signals) -> None:
    """Signals those of the processes that still run."""
    for identity in identities:
        with suppress(ProcessLookupError):
            if identity.alive():
                os.kill(identity.pid, sign)


def wait_until_gone(identities: Iterable[Identity], patience: float) -> bool:
    """Waits until none of the processes runs any more; False when time is up."""
    waiting, deadline = list(identities), time.monotonic() + patience
    while waiting := [identity for identity in waiting if identity.alive()]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
