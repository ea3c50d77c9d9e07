"""Progress is visible, and a failure tells its last words."""

from __future__ import annotations

import sys
import threading

import pytest

from e2e.cluster.command import CommandFailedError, run
from e2e.cluster.console import Console, last_line, tail
from e2e.cluster.layout import Checkout
from e2e.cluster.workspace import Workspace, link, write_privately


class Listener:
    """A stream that tells when a certain word was written."""

    def __init__(self, word: str) -> None:
        self.heard = threading.Event()
        self.text = ""
        self._word = word

    def write(self, text: str) -> None:
        self.text += text
        if self._word in self.text:
            self.heard.set()

    def flush(self) -> None:
        pass


def test_a_long_step_shows_that_it_is_alive_and_what_it_does(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntwo\n")
    out = Listener("still at it")

    with Console(out).step("building", log, every=0.01):
        assert out.heard.wait(10)

    assert "building | two" in out.text


def test_a_step_that_took_long_says_how_long(output):
    ticks = iter([0.0, 83.0])

    with Console(output, clock=lambda: next(ticks)).step("building"):
        pass

    assert "done in 83 s" in output.getvalue()


def test_the_tail_of_a_file_leaves_out_empty_lines_and_missing_files(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\n\ntwo\n\n")

    assert tail(log, 5) == ["one", "two"]
    assert last_line(log) == "two"
    assert tail(tmp_path / "nothing", 5) == []


def test_a_failed_program_tells_its_exit_code_and_last_words():
    with pytest.raises(CommandFailedError, match=r"exit code 3(.|\n)*the reason"):
        run([sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"])


def test_a_failed_program_with_a_log_names_the_log(tmp_path):
    with pytest.raises(CommandFailedError, match=r"program\.log(.|\n)*the reason"):
        run([sys.executable, "-c", "print('the reason'); raise SystemExit(1)"], log=tmp_path / "program.log")


def test_a_missing_program_is_a_failure_like_any_other():
    with pytest.raises(CommandFailedError, match="no such program"):
        run(["ultra-recovery-no-such-program"])


def test_a_program_that_takes_too_long_is_ended():
    with pytest.raises(CommandFailedError, match="no answer within"):
        run([sys.executable, "-c", "import signal; signal.pause()"], timeout=0.2)


def test_the_kubeconfig_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "kubeconfig"
    write_privately(path, "old")
    write_privately(path, "new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_program_is_never_linked_to_itself(tmp_path):
    program = tmp_path / "kubectl"
    program.write_text("x")
    name = tmp_path / "bin-kubectl"
    link(name, program)
    link(name, name)
    link(name, tmp_path / "nothing")

    assert name.resolve() == program


def test_commands_reach_this_cluster_and_keep_the_users_exceptions(tmp_path):
    environment = Workspace(Checkout(tmp_path)).environment({"PATH": "/bin", "NO_PROXY": "intranet.test"})

    assert environment["KUBECONFIG"] == str(tmp_path / ".cluster/kubeconfig")
    assert environment["PATH"] == f"{tmp_path}/.cluster/bin:/bin"
    assert environment["NO_PROXY"].startswith("intranet.test,10.200.0.0/24")
