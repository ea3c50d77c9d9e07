"""Logins by libpq, for servers that may be anybody's: PostgreSQL, and the console of PgBouncer.

asyncpg tells more of a failed login, but its parser never returns from bytes that are no PostgreSQL (a message of type
0, in 0.32), and with it this whole process would hang: any tenant's pod could do that. libpq checks what it reads. It
tells the SQLSTATE of a failed login only in its verbose messages, a switch that psycopg does not pass on.
"""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import psycopg
import psycopg_binary
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from ultra_recovery.adapters.database.access import APPLICATION_NAME, Access, ServerFault
from ultra_recovery.core.database_errors import BAD_TLS, UNREACHABLE, FaultClass, Row, fault_of_postgres

Connection = psycopg.AsyncConnection[DictRow]
NO_TLS = Row("", FaultClass.ENCRYPTION, "the server offers no TLS, and tls.mode demands it")
_MODES = {"Disable": "disable", "Prefer": "prefer", "Require": "require", "VerifyFull": "verify-full"}
_STATE = re.compile(r":\s+((?=[A-Z]*\d)[0-9A-Z]{5}):\s")
_PG_HBA = "28000"
_VERBOSE = 2


class _Verbosity(Protocol):
    def __call__(self, connection: ctypes.c_void_p, level: int) -> int:
        """PQsetErrorVerbosity."""


@asynccontextmanager
async def login(access: Access) -> AsyncIterator[Connection]:
    """Log in; the connection is closed when the block ends, however it ends. The caller sets the deadline.

    Raises:
        ServerFault: the server said no, or cannot be reached.
    """
    with _authority(access) as root:
        raw = await _connect(make_conninfo("", **{**_parameters(access), "sslrootcert": root}))
    raw.nonblocking = 1
    connection: Connection = psycopg.AsyncConnection(raw, row_factory=dict_row)
    try:
        # Neither a console nor a pooler knows transactions or statements that outlive a probe.
        await connection.set_autocommit(True)
        connection.prepare_threshold = None
        yield connection
    except psycopg.Error as error:
        raise ServerFault(fault_of(error)) from None
    finally:
        await connection.close()


def fault_of(error: psycopg.Error) -> Row:
    """What an error on a connection that was established means."""
    return fault_of_postgres(error.sqlstate, str(error)) if error.sqlstate else UNREACHABLE


def _parameters(access: Access) -> dict[str, str]:
    return {
        # The address is connected to; the name is only what a certificate must carry.
        "hostaddr": access.host,
        "host": access.server_name or access.host,
        "port": str(access.port),
        "user": access.user,
        "password": access.password,
        "dbname": access.database,
        "sslmode": _MODES[access.tls.mode],
        "gssencmode": "disable",
        "sslcertmode": "disable",
        "application_name": APPLICATION_NAME,
        "client_encoding": "utf8",
    }


@contextmanager
def _authority(access: Access) -> Iterator[str]:
    """A file in memory with the certificates to check the server's by; libpq takes nothing but files."""
    if access.tls.mode != "VerifyFull":
        # A file that is not there: nothing in the home folder of this process is looked for.
        yield "/nonexistent"
        return
    file = os.memfd_create("ca.crt")
    try:
        os.write(file, (access.authority or "").encode())
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


async def _connect(parameters: str) -> pq.abc.PGconn:
    raw = pq.PGconn.connect_start(parameters.encode())
    try:
        _be_verbose(raw)
        await _poll(raw)
    except BaseException:
        raw.finish()
        raise
    return raw


async def _poll(raw: pq.abc.PGconn) -> None:
    while raw.status != pq.ConnStatus.BAD:
        status = raw.connect_poll()
        if status == pq.PollingStatus.OK:
            return
        if status == pq.PollingStatus.FAILED:
            break
        await _wait(raw.socket, reading=status == pq.PollingStatus.READING)
    raise ServerFault(explain(raw.error_message.decode(errors="replace")))


async def _wait(socket: int, *, reading: bool) -> None:
    """Until the socket is ready: the event loop has other things to do meanwhile."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    add, remove = (loop.add_reader, loop.remove_reader) if reading else (loop.add_writer, loop.remove_writer)
    add(socket, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        remove(socket)


def explain(words: str) -> Row:
    """What libpq's words for a failed login mean. With tls.mode Prefer they may tell of two attempts."""
    states = _STATE.findall(words)
    if states:
        # pg_hba.conf refuses the attempt of the wrong kind: the other one tells what is the matter.
        telling = [state for state in states if state != _PG_HBA]
        return fault_of_postgres((telling or states)[0], words)
    if "server does not support SSL" in words:
        return NO_TLS
    if "certificate" in words or ("SSL error" in words and "unexpected eof" not in words):
        return BAD_TLS
    if "expected authentication request" in words or "protocol" in words or "authentication method" in words:
        return Row("", FaultClass.OTHER, "the server does not speak PostgreSQL as it should")
    return UNREACHABLE


def _be_verbose(raw: pq.abc.PGconn) -> None:
    switch, pointer = _verbosity(), getattr(raw, "pgconn_ptr", None)
    if switch is not None and pointer is not None:
        switch(ctypes.c_void_p(pointer), _VERBOSE)


@lru_cache(maxsize=1)
def _verbosity() -> _Verbosity | None:
    """The switch of the very libpq that psycopg uses; None where it cannot be found: then the words must do."""
    folder = Path(psycopg_binary.__file__).parent.parent / "psycopg_binary.libs"
    name = next((str(path) for path in folder.glob("libpq-*")), None) or ctypes.util.find_library("pq")
    if name is None:
        return None
    switch = ctypes.CDLL(name).PQsetErrorVerbosity
    switch.restype, switch.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_int]
    return switch
