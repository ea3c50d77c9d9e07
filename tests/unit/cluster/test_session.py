"""A cluster made for a command goes away with the last command that uses it."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from e2e.cluster.process import Identity, Record
from e2e.cluster.session import Guests, InterruptedByUserError, Signals, execute, visit


class Cluster:
    """Counts how often it is taken down."""

    def __init__(self, folder) -> None:
        self.guests = Guests(folder / "users")
        self.temporary = folder / "temporary"
        self.downs = 0

    def visit(self, *, created: bool, keep: bool = False, work=lambda: 0) -> int:
        return visit(self.guests, self.temporary, created, keep, work, self.down)

    def down(self) -> None:
        self.downs += 1
        self.temporary.unlink()


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_a_cluster_created_for_a_command_goes_with_it(cluster):
    assert cluster.visit(created=True, work=lambda: 3) == 3
    assert cluster.downs == 1


def test_a_cluster_that_was_there_stays(cluster):
    cluster.visit(created=False)

    assert cluster.downs == 0


def test_a_cluster_that_is_to_be_kept_stays(cluster):
    cluster.visit(created=True, keep=True)

    assert cluster.downs == 0


def test_a_cluster_goes_even_when_the_work_fails(cluster):
    def fail() -> int:
        raise InterruptedByUserError(signal.SIGTERM)

    with pytest.raises(InterruptedByUserError):
        cluster.visit(created=True, work=fail)
    assert cluster.downs == 1


def test_a_cluster_stays_for_another_guest_who_then_takes_it_down(cluster):
    identity = Identity.of(os.getppid())
    assert identity
    other = Record(cluster.guests._folder, str(identity.pid))
    other.write(identity)
    cluster.visit(created=True)
    assert cluster.downs == 0

    other.forget()
    cluster.visit(created=False)
    assert cluster.downs == 1


@pytest.mark.parametrize(
    ("programme", "code"),
    [
        pytest.param("raise SystemExit(0)", 0, id="success"),
        pytest.param("raise SystemExit(5)", 5, id="its own code"),
        pytest.param("import os; os.kill(os.getpid(), 9)", 137, id="killed"),
    ],
)
def test_the_answer_is_the_commands_exit_code(programme, code):
    assert execute([sys.executable, "-c", programme], {}, Signals()) == code


def test_a_command_that_does_not_exist_is_said_like_a_shell_would(capsys):
    assert execute(["ultra-recovery-no-such-program"], {}, Signals()) == 127
    assert "No such file" in capsys.readouterr().err


def test_variables_reach_the_command():
    programme = "import os, sys; sys.exit(os.environ['ULTRA_PROVIDER'] != 'local')"

    assert execute([sys.executable, "-c", programme], {"ULTRA_PROVIDER": "local"}, Signals()) == 0


def test_without_a_command_a_signal_ends_the_programme_in_good_order():
    with Signals().installed(), pytest.raises(InterruptedByUserError, match="SIGTERM") as caught:
        os.kill(os.getpid(), signal.SIGTERM)

    assert caught.value.code == 143


def test_while_the_cluster_is_taken_down_signals_are_not_heard():
    signals = Signals()
    signals.deaf = True

    with signals.installed():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_is_passed_on_to_the_running_command():
    programme = "import os, signal; os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
    signals = Signals()

    with signals.installed():
        assert execute([sys.executable, "-c", programme], {}, signals) == 143
