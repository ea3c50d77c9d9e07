"""Running other programs, so that a failure says which program, how, and with what last words."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster.console import tail
from e2e.cluster.problem import ProblemError

LAST_WORDS = 15


class CommandFailedError(ProblemError):
    """A program ended with another exit code than 0."""

    def __init__(self, argv: Sequence[str], code: int, words: Sequence[str], log: Path | None = None) -> None:
        shown = "\n".join(f"    {line}" for line in words[-LAST_WORDS:])
        where = f" (whole output: {log})" if log else ""
        super().__init__(f"{' '.join(argv)[:300]}\n  ended with exit code {code}{where}\n{shown}".rstrip())
        self.code = code


def find(name: str, search: str | None = None) -> str | None:
    """The path of a program, also in the system folders that an ordinary user's PATH leaves out."""
    path = os.environ.get("PATH", "") if search is None else search
    return shutil.which(name, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin")


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Runs a program to its end and returns what it wrote to standard output.

    Args:
        argv: The program and its arguments.
        env: Variables added to those of this process.
        cwd: The folder it starts in.
        log: Both output streams go to this file, and the answer is empty.
        timeout: Seconds after which it is killed.

    Raises:
        CommandFailedError: It could not be started, took too long, or its exit code was not 0.
    """
    words = [str(arg) for arg in argv]
    words[0] = find(words[0]) or words[0]
    try:
        done = _complete(words, {**os.environ, **(env or {})}, cwd, log, timeout)
    except FileNotFoundError:
        raise CommandFailedError(words, 127, ["no such program"]) from None
    except subprocess.TimeoutExpired:
        raise CommandFailedError(words, 124, [f"no answer within {timeout} s"], log) from None
    if done.returncode:
        complaint = tail(log, LAST_WORDS) if log else (done.stderr or done.stdout).splitlines()
        raise CommandFailedError(words, done.returncode, complaint, log)
    return done.stdout or ""


def _complete(
    words: Sequence[str], env: Mapping[str, str], cwd: Path | None, log: Path | None, timeout: float | None
) -> subprocess.CompletedProcess[str]:
    if log is None:
        return subprocess.run(
            words,
            env=env,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        return subprocess.run(
            words, env=env, cwd=cwd, timeout=timeout, stdout=out, stderr=out, encoding="utf-8", check=False
        )


def succeeds(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 20) -> bool:
    """Whether a program ends with exit code 0 in time."""
    try:
        run(argv, env=env, timeout=timeout)
    except CommandFailedError:
        return False
    return True
