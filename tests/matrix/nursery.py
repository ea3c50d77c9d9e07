"""Runs as a process of its own: has everything imported, and forks an operator whenever it is asked to.

Starting Python and importing the clients takes longer than the operator needs to act. A fork is a process like any
other: it is killed by its id, and nothing of it is left. Lines of JSON go in (what to start) and out (what happened).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import ultra_recovery.wiring  # noqa: F401 - imported for the forks
from ultra_recovery.cli import main

_alive: set[int] = set()


def serve() -> None:
    """Fork at every line until standard input ends; then nothing stays behind."""
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_operator(order)
        _alive.add(pid)
        _say({"started": order["id"], "pid": pid})
    for pid in tuple(_alive):
        os.kill(pid, signal.SIGKILL)


def _become_operator(order: dict[str, Any]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDWR)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.update(order["environment"])
    code = 70
    try:
        code = main(["operator"])
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def _reap(*_: object) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _alive.discard(pid)
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(document: dict[str, Any]) -> None:
    # One write, no buffer: a signal handler says things, too.
    os.write(1, json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    serve()
