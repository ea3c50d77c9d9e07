"""Logging in to a MySQL or MariaDB server over a connection that another thread can cut."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

import pymysql

from ultra_recovery.adapters.database.access import APPLICATION_NAME, Access
from ultra_recovery.adapters.database.encryption import unverified, verified
from ultra_recovery.core.database_errors import BAD_TLS, UNREACHABLE, Row

NONSENSE = "the server does not speak MySQL as it should"


class Wire:
    """The connection below a login. One thread speaks over it; `cut`, from any other, ends whatever that waits for."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._handle: socket.socket | None = None
        self.over = False

    @property
    def reached(self) -> bool:
        """Whether the server, or its machine, has taken the connection, and it was not cut."""
        return self._handle is not None

    def cut(self) -> None:
        """End the connection; one that is made later ends at once."""
        self.over = True
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)
            handle.close()

    def log_in(
        self, encryption: ssl.SSLContext | None, within: float, timeout: float | None = None
    ) -> pymysql.Connection[Any]:
        """Connect within so many seconds, and log in; each later read and write has `timeout` seconds, None: any time.

        Raises:
            OSError: no connection.
            pymysql.MySQLError: no login.
        """
        access = self._access
        plain = socket.create_connection((access.host, access.port), within)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A second handle of the same connection: TLS takes the first one over.
        self._handle = plain.dup()
        if self.over:
            self.cut()
        connection: pymysql.Connection[Any] = pymysql.Connection(
            # The connection is there already: the name is only what a certificate must carry.
            host=access.server_name or access.host,
            user=access.user,
            # Text would be sent as Latin-1.
            password=access.password.encode(),
            database=access.database or None,
            read_timeout=timeout,
            write_timeout=timeout,
            ssl=encryption,
            ssl_disabled=access.tls.mode == "Disable",
            charset="utf8mb4",
            autocommit=True,
            program_name=APPLICATION_NAME,
            defer_connect=True,
        )
        try:
            connection.connect(plain)
        except BaseException:
            plain.close()
            raise
        return connection


def encryption_of(access: Access) -> ssl.SSLContext | None:
    """How a login is encrypted; None: as the library does it, where the server can.

    Raises:
        SpecError: the certificate to check the server by cannot be read.
    """
    mode = access.tls.mode
    if mode == "VerifyFull":
        return verified(access.authority or "")
    return unverified() if mode == "Require" else None


def network_error(error: pymysql.MySQLError) -> OSError | None:
    """The network's error inside one of the library, which wraps them."""
    cause = getattr(error, "original_exception", None)
    return cause if isinstance(cause, OSError) else None


def number_of(error: pymysql.MySQLError) -> tuple[int, str]:
    """The server's number, 0 when there is none, and its words, which are only looked at."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return number, str(error.args[1]) if len(error.args) > 1 else ""


def row_of_network(error: OSError) -> Row:
    """What an error of the network means; a connection that ends in the middle of TLS was lost."""
    is_tls = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
    return BAD_TLS if is_tls else UNREACHABLE
