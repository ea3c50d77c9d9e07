"""Transactions through the connection pools that Python services use, each set up as its documentation shows.

`sqlalchemy` and `mysql` are SQLAlchemy over psycopg and PyMySQL, `psycopg_pool` and `asyncpg` are the pools of these
names. Behind a pooler in transaction mode nothing is prepared on the server, since the next transaction may meet
another session.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
import psycopg
import psycopg_pool
import pymysql
import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

Run = Callable[..., object]
AnswerT = TypeVar("AnswerT")
# What a transaction may fail with when the fault is not ours.
FAILURES = (
    SQLAlchemyError,
    psycopg.Error,
    pymysql.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
NAME = "orders"
CONNECT_SECONDS = 3
RECYCLE_SECONDS = 3600


@dataclass(frozen=True)
class Settings:
    """Where the database is, and how large the pool may get.

    Attributes:
        host: Its name.
        port: Its port.
        database: The database in it.
        secret: A folder with `username` and `password`, read again for every connection.
        pooled: Whether a pooler in transaction mode is between us and the server.
        size: Connections the pool keeps.
        overflow: Connections it may open beyond.
        patience: Seconds to wait for one of them.
    """

    host: str
    port: int
    database: str
    secret: Path
    pooled: bool
    size: int
    overflow: int
    patience: float

    def login(self) -> dict[str, Any]:
        """Arguments that every driver knows under these names."""
        user, password = ((self.secret / key).read_text().strip() for key in ("username", "password"))
        return {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": user,
            "password": password,
        }


class Store(Protocol):
    """A pool of connections to one database."""

    sleep: str

    def transaction(self, *, pooled: bool = True) -> AbstractContextManager[Run]:
        """A transaction on a connection of the pool, or on one of its own; it gives what runs a statement."""

    def refresh(self) -> None:
        """Makes the pool let go of connections that have died; safe to repeat."""

    def figures(self) -> Mapping[str, int]:
        """Connections open, in use and idle, and the most there may be."""


class SqlAlchemyStore:
    """SQLAlchemy's QueuePool over a driver."""

    def __init__(self, settings: Settings, dialect: str, connect: Callable[[], Any], sleep: str) -> None:
        self.sleep = sleep
        self._connect = connect
        self._limit = settings.size + settings.overflow
        self._engine = sqlalchemy.create_engine(
            f"{dialect}://",
            creator=connect,
            pool_size=settings.size,
            max_overflow=settings.overflow,
            pool_timeout=settings.patience,
            pool_recycle=RECYCLE_SECONDS,
            pool_pre_ping=True,
        )

    @contextmanager
    def transaction(self, *, pooled: bool = True) -> Iterator[Run]:
        if pooled:
            with self._engine.begin() as connection:
                yield lambda sql, *values: connection.exec_driver_sql(sql, values)
        else:
            with _own(self._connect()) as run:
                yield run

    def refresh(self) -> None:
        self._engine.dispose()

    def figures(self) -> Mapping[str, int]:
        pool: Any = self._engine.pool
        used, idle = pool.checkedout(), pool.checkedin()
        return {"open": used + idle, "inUse": used, "idle": idle, "limit": self._limit}


class PsycopgPoolStore:
    """psycopg_pool, with its check of connections before use."""

    sleep = "SELECT pg_sleep(%s)"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = psycopg_pool.ConnectionPool(
            kwargs=lambda: _psycopg_arguments(settings),
            min_size=1,
            max_size=settings.size + settings.overflow,
            timeout=settings.patience,
            max_lifetime=RECYCLE_SECONDS,
            check=psycopg_pool.ConnectionPool.check_connection,
            open=True,
        )

    @contextmanager
    def transaction(self, *, pooled: bool = True) -> Iterator[Run]:
        if pooled:
            with self._pool.connection() as connection:
                yield lambda sql, *values: connection.execute(sql, values or None)
        else:
            with _own(psycopg.connect(**_psycopg_arguments(self._settings))) as run:
                yield run

    def refresh(self) -> None:
        self._pool.check()

    def figures(self) -> Mapping[str, int]:
        stats = self._pool.get_stats()
        size, idle = stats["pool_size"], stats["pool_available"]
        return {"open": size, "inUse": size - idle, "idle": idle, "limit": stats["pool_max"]}


class AsyncpgStore:
    """asyncpg's pool, on an event loop in a thread of its own."""

    sleep = "SELECT pg_sleep(%s)"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="asyncpg", daemon=True).start()
        self._pool = self._run(self._open())

    async def _open(self) -> Any:
        return await asyncpg.create_pool(
            min_size=0, max_size=self._settings.size + self._settings.overflow, **self._arguments()
        )

    def _arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            **self._settings.login(),
            "password": lambda: self._settings.login()["password"],
            "timeout": CONNECT_SECONDS,
            "server_settings": {"application_name": NAME},
        }
        return {**arguments, "statement_cache_size": 0} if self._settings.pooled else arguments

    @contextmanager
    def transaction(self, *, pooled: bool = True) -> Iterator[Run]:
        opened = self._pool.acquire(timeout=self._settings.patience) if pooled else asyncpg.connect(**self._arguments())
        connection = self._run(_wait(opened))
        try:
            transaction = connection.transaction()
            self._run(transaction.start())
            try:
                yield lambda sql, *values: self._run(connection.execute(numbered(sql), *values))
                self._run(transaction.commit())
            except BaseException:
                with suppress(*FAILURES):
                    self._run(transaction.rollback())
                raise
        finally:
            with suppress(*FAILURES):
                self._run(self._pool.release(connection) if pooled else connection.close())

    def refresh(self) -> None:
        self._run(self._pool.expire_connections())

    def figures(self) -> Mapping[str, int]:
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return {"open": size, "inUse": size - idle, "idle": idle, "limit": self._pool.get_max_size()}

    def _run(self, work: Coroutine[Any, Any, AnswerT]) -> AnswerT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _wait(opened: Any) -> Any:
    return await opened


@contextmanager
def _own(connection: Any) -> Iterator[Run]:
    """A transaction on a connection that no pool knows."""
    try:
        cursor = connection.cursor()
        yield lambda sql, *values: cursor.execute(sql, values or None)
        connection.commit()
    finally:
        with suppress(*FAILURES):
            connection.close()


def numbered(sql: str) -> str:
    """A statement with asyncpg's placeholders $1, $2, … in place of %s."""
    numbers = itertools.count(1)
    return re.sub("%s", lambda _: f"${next(numbers)}", sql)


def _psycopg_arguments(settings: Settings) -> dict[str, Any]:
    login = settings.login()
    login["dbname"] = login.pop("database")
    login |= {"connect_timeout": CONNECT_SECONDS, "application_name": NAME}
    return {**login, "prepare_threshold": None} if settings.pooled else login


def open_store(variant: str, settings: Settings) -> Store:
    """The store of a variant.

    Raises:
        ValueError: There is no such variant.
    """
    sleep = PsycopgPoolStore.sleep
    variants: dict[str, Callable[[], Store]] = {
        "sqlalchemy": lambda: SqlAlchemyStore(
            settings, "postgresql+psycopg", lambda: psycopg.connect(**_psycopg_arguments(settings)), sleep
        ),
        "mysql": lambda: SqlAlchemyStore(
            settings,
            "mysql+pymysql",
            lambda: pymysql.connect(connect_timeout=CONNECT_SECONDS, **settings.login()),
            "SELECT sleep(%s)",
        ),
        "psycopg_pool": lambda: PsycopgPoolStore(settings),
        "asyncpg": lambda: AsyncpgStore(settings),
    }
    if variant not in variants:
        raise ValueError(f"no such variant: {variant}; the known ones are {', '.join(variants)}")
    return variants[variant]()
