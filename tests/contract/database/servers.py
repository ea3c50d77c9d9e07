"""Real database servers on this machine, each in a folder of its own, on a free port of 127.0.0.1.

As an unprivileged user, since none of them runs as root. What a test breaks is gone with the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

APP_LIMIT = 8
"""Connections that ordinary users get from the PostgreSQL server of the tests."""
_USERS = ("postgres", "mysql", "nobody")
_PATIENCE = 60.0


def find_binary(name: str) -> str | None:
    """A server's programme: on PATH, in sbin, or where Debian puts PostgreSQL."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = [*map(str, folders), *os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(places))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server process. Stopped with SIGSTOP it is frozen, and can be thawed."""

    def __init__(self, command: Sequence[str], folder: Path, port: int, ready: str) -> None:
        self.folder = folder
        self._ready = ready
        self.port = port
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **account()
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log()[-2000:]
            if self._ready in self.log():
                return
            time.sleep(0.05)
        raise AssertionError(self.log()[-2000:])

    def log(self) -> str:
        """All that it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all of its processes."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def stop(self) -> None:
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self._process.wait(10)
        self._process = None


def account() -> dict[str, object]:
    """Whom a server runs as: an account without rights where we are root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = next(name for name in _USERS if name in names)
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "env": {"PATH": os.environ["PATH"]}}


@contextmanager
def folder_for(name: str) -> Iterator[Path]:
    """A folder that the server's account owns. Not pytest's: nobody but root may enter that."""
    path = Path(tempfile.mkdtemp(prefix=f"ultra-{name}-"))
    who = account()
    if who:
        os.chown(path, int(str(who["user"])), int(str(who["group"])))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def run(command: Sequence[str], folder: Path, text: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Run a programme as the server's account."""
    who = account()
    own = dict(who.pop("env", None) or os.environ)  # type: ignore[call-overload]
    done = subprocess.run(
        command,
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**own, **(environment or {})},
        **who,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def postgres() -> Iterator[Server]:
    """PostgreSQL with passwords and TLS, and room for APP_LIMIT ordinary connections; superuser "owner"."""
    with folder_for("postgres") as folder:
        data = folder / "data"
        (folder / "pw").write_text("owner")
        (folder / "pw").chmod(0o644)
        initdb, programme = find_binary("initdb"), find_binary("postgres")
        assert initdb is not None
        assert programme is not None
        run(
            [initdb, "-D", str(data), "-U", "owner", "-A", "scram-sha-256", "--pwfile", str(folder / "pw"), "-N"],
            folder,
            environment={"LC_ALL": "C.UTF-8"},
        )
        certificate(folder, "orders-db.shop.svc")
        for name in ("server.crt", "server.key"):
            shutil.copy(folder / name, data / name)
            own(data / name)
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": str(APP_LIMIT + 3),
            "superuser_reserved_connections": "3",
            "fsync": "off",
            "ssl": "on",
            "shared_buffers": "16MB",
            "max_wal_senders": "0",
            "autovacuum": "off",
        }
        port = free_port()
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        server = Server(
            [programme, "-D", str(data), "-p", str(port), *flags], folder, port, "ready to accept connections"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def mariadb(*options: str) -> Iterator[Server]:
    """MariaDB with room for ten connections; user "owner" has all rights. `options` go before the usual ones."""
    with folder_for("mariadb") as folder:
        install, programme = find_binary("mariadb-install-db"), find_binary("mariadbd")
        assert install is not None
        assert programme is not None
        data, port = folder / "data", free_port()
        run(
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            folder,
        )
        certificate(folder, "orders-db.shop.svc")
        setup = folder / "setup.sql"
        setup.write_text("CREATE USER owner IDENTIFIED BY 'owner';\nGRANT ALL ON *.* TO owner WITH GRANT OPTION;\n")
        setup.chmod(0o644)
        command = [
            programme,
            "--no-defaults",
            *options,
            f"--datadir={data}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid",
            "--max-connections=10",
            "--max-user-connections=100",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            f"--init-file={setup}",
            f"--ssl-cert={folder}/server.crt",
            f"--ssl-key={folder}/server.key",
        ]
        server = Server(command, folder, port, "ready for connections")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def pgbouncer(database_port: int, users: Mapping[str, str]) -> Iterator[Server]:
    """PgBouncer in transaction mode in front of database orders, with three server connections."""
    with folder_for("pgbouncer") as folder:
        programme = find_binary("pgbouncer")
        assert programme is not None
        port = free_port()
        names = "".join(f'"{name}" "{password}"\n' for name, password in users.items())
        (folder / "users").write_text(names)
        (folder / "ini").write_text(
            "[databases]\n"
            f"orders = host=127.0.0.1 port={database_port} dbname=orders\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder}/users\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nserver_login_retry = 15\nserver_tls_sslmode = disable\n"
            "admin_users = console\nstats_users = looker\nignore_startup_parameters = extra_float_digits\n"
        )
        for name in ("users", "ini"):
            (folder / name).chmod(0o644)
        server = Server([programme, str(folder / "ini")], folder, port, "process up")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def certificate(folder: Path, name: str) -> None:
    """A certificate that signs itself, for one name."""
    openssl = shutil.which("openssl")
    assert openssl is not None, "the programme openssl is needed"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files = ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt"]
    run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files], folder)
    (folder / "server.key").chmod(0o600)


def own(path: Path) -> None:
    """Give a file to the server's account."""
    who = account()
    if who:
        os.chown(path, int(str(who["user"])), int(str(who["group"])))
