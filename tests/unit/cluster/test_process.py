"""Processes are told apart by id, start time and boot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from e2e.cluster.process import Identity, Record, send, start, stop, wait_until_gone
from e2e.cluster.session import Guests

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
DEAF = [
    sys.executable,
    "-c",
    "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
]


@pytest.fixture
def proc(tmp_path):
    """A process table of files, in which processes can be put."""
    folder = tmp_path / "proc"
    (folder / "sys/kernel/random").mkdir(parents=True)

    def put(pid: int, *, started: int = 100, boot: str = "boot-1", state: str = "S", name: str = "etcd"):
        (folder / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
        (folder / str(pid)).mkdir(exist_ok=True)
        fields = [state, *(["0"] * 18), str(started), "0"]
        (folder / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")

    put(1)
    return folder, put


def test_a_running_process_has_an_identity(proc):
    folder, put = proc
    put(42, started=777)

    assert Identity.of(42, folder) == Identity(42, 777, "boot-1")


@pytest.mark.parametrize("name", ["a) S 1 (b", "two words", "((", "kube-apiserver"])
def test_the_name_of_a_program_does_not_confuse_the_reader(proc, name):
    folder, put = proc
    put(42, started=777, name=name)

    assert Identity.of(42, folder) == Identity(42, 777, "boot-1")


@pytest.mark.parametrize("state", [pytest.param("Z", id="waiting to be reaped"), pytest.param("X", id="dead")])
def test_a_process_that_has_ended_has_none(proc, state):
    folder, put = proc
    put(42, state=state)

    assert Identity.of(42, folder) is None
    assert Identity.of(43, folder) is None


def test_a_process_whose_first_thread_alone_has_ended_still_runs(proc):
    folder, put = proc
    put(42, state="Z")
    for thread in ("42", "43"):
        (folder / "42/task" / thread).mkdir(parents=True)

    assert Identity.of(42, folder) == Identity(42, 100, "boot-1")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"started": 900}, id="the id was given to another process"),
        pytest.param({"boot": "boot-2"}, id="the machine was started again and the ticks agree by chance"),
        pytest.param({"state": "Z"}, id="it ended and nobody reaped it"),
    ],
)
def test_a_record_never_answers_with_another_process(proc, tmp_path, other):
    folder, put = proc
    put(42)
    record = Record(tmp_path / "pids", "etcd", folder)
    record.write(Identity(42, 100, "boot-1"))
    assert record.read() == Identity(42, 100, "boot-1")

    put(42, **other)

    assert record.read() is None


@pytest.mark.parametrize("text", ["", "42", "x y z", "42 100 boot-1 more"])
def test_a_broken_record_counts_as_none(proc, tmp_path, text):
    folder, put = proc
    put(42)
    (tmp_path / "etcd.identity").write_text(text)

    assert Record(tmp_path, "etcd", folder).read() is None


def test_the_pid_file_holds_the_id_of_the_program_itself(tmp_path):
    record = Record(tmp_path / "pids", "sleeper")
    start(["sh", "-c", 'exec "$@"', "sh", *SLEEPER], tmp_path / "logs/sleeper.log", record)

    pid = int((tmp_path / "pids/sleeper.pid").read_text())

    assert record.read() == Identity.of(pid)
    assert os.getsid(pid) == pid
    stop([record])
    assert Identity.of(pid) is None
    assert list((tmp_path / "pids").iterdir()) == []


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path):
    with subprocess.Popen(DEAF, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        identity = Identity.of(child.pid)
        assert identity
        record = Record(tmp_path, "deaf")
        record.write(identity)

        stop([record], patience=0.2)

    assert child.returncode == -signal.SIGKILL


def test_stopping_what_does_not_run_forgets_it(tmp_path):
    record = Record(tmp_path, "gone")
    record.write(Identity(2**22 + 1, 1, "boot"))

    stop([record])

    assert list(tmp_path.iterdir()) == []


def test_nobody_is_signalled_under_a_reused_id():
    stranger = Identity(os.getpid(), 1, "another boot")

    send([stranger], signal.SIGKILL)

    assert wait_until_gone([stranger], 0)


def test_guests_that_ended_without_leaving_are_not_present(tmp_path):
    guests = Guests(tmp_path)
    guests.enter(os.getpid())
    Record(tmp_path, "4194399").write(Identity(4194399, 1, "boot"))

    assert guests.present() == [os.getpid()]

    guests.leave(os.getpid())
    assert guests.present() == []
