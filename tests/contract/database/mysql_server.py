"""A real MariaDB on loopback, as an unprivileged user, for the length of a test session."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors

_START = 60.0
"""Seconds within which a server must answer."""
_UNPRIVILEGED = ("mysql", "nobody")


def find_mariadb() -> str | None:
    """The server program, where one is installed."""
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass
class MariaDb:
    """A running server. The user root logs in without a password, through the socket only."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def connect(self, user: str = "root", password: str = "", database: str | None = None) -> pymysql.Connection[Any]:
        """A connection in autocommit; the caller closes it."""
        place: dict[str, Any] = {"host": "127.0.0.1", "port": self.port}
        if user == "root":
            place = {"unix_socket": str(self.folder / "s.sock")}
        return pymysql.connect(
            **place,
            user=user,
            password=password,
            database=database,
            autocommit=True,
            connect_timeout=5,
            charset="utf8mb4",
        )

    def run(self, *statements: str, database: str | None = None) -> list[dict[str, Any]]:
        """Run statements as root; the rows of the last one."""
        connection = self.connect(database=database)
        try:
            with connection.cursor(pymysql.cursors.DictCursor) as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def script(self, text: str) -> None:
        """Run a script as root with the server's own client, as a person would."""
        client = shutil.which("mariadb") or "mysql"
        command = [client, "--no-defaults", f"--socket={self.folder / 's.sock'}", "--user=root"]
        subprocess.run(command, input=text.encode(), check=True, timeout=30, capture_output=True)

    def freeze(self) -> None:
        """Stop the process without ending it: connections stay open, nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def start_mariadb(settings: Mapping[str, str] | None = None) -> Iterator[MariaDb]:
    """A new server with an empty data folder; stopped and removed at the end.

    Args:
        settings: options of the server beside the usual ones, such as {"max-connections": "12"}.
    """
    program = find_mariadb()
    if program is None:
        raise RuntimeError("no mariadbd here: apt-get install mariadb-server")
    # Not below pytest's folder: only its owner may go there, and the server is somebody else.
    folder = Path(tempfile.mkdtemp(prefix="maria-"))
    owner = _owner()
    try:
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _install(folder, owner)
        port = _free_port()
        process = subprocess.Popen(
            [program, *_options(folder, port, settings or {})],
            stdout=subprocess.DEVNULL,
            stderr=(folder / "log").open("wb"),
            **_as(owner),
        )
        server = MariaDb(folder, port, process)
        try:
            _wait(server)
            yield server
        finally:
            server.thaw()
            process.kill()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options(folder: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    usual = {
        "datadir": str(folder / "data"),
        "socket": str(folder / "s.sock"),
        "pid-file": str(folder / "pid"),
        "tmpdir": str(folder),
        "port": str(port),
        "bind-address": "127.0.0.1",
        "innodb-buffer-pool-size": "32M",
        "innodb-log-file-size": "16M",
        "innodb-flush-log-at-trx-commit": "0",
        "skip-name-resolve": "ON",
        "skip-log-bin": "ON",
    }
    return ["--no-defaults", *(f"--{name}={value}" for name, value in {**usual, **settings}.items())]


def _install(folder: Path, owner: pwd.struct_passwd | None) -> None:
    command = ["mariadb-install-db", "--no-defaults", f"--datadir={folder / 'data'}", "--skip-test-db"]
    subprocess.run(
        [*command, "--auth-root-authentication-method=normal"],
        check=True,
        timeout=120,
        capture_output=True,
        **_as(owner),
    )


def _owner() -> pwd.struct_passwd | None:
    """Somebody without rights, where we have all of them: the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("no unprivileged user to run the server as")


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": "/tmp"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: MariaDb) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        with contextlib.suppress(pymysql.err.OperationalError):
            server.connect().close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"mariadbd does not answer: {(server.folder / 'log').read_text(errors='replace')[-2000:]}")
