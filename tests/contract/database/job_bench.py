"""A PostgreSQL server with everything that `generate sql` prints, and Jobs that work on it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tests.contract.database.servers import Server, run
from ultra_recovery.adapters.clock import SystemClock, SystemRandom
from ultra_recovery.adapters.database.mounted import MountedAccess
from ultra_recovery.adapters.database.pgbouncer_console import PgBouncers
from ultra_recovery.adapters.database.postgres_session import PostgresServers
from ultra_recovery.adapters.http.pool_hooks import HttpPoolHooks
from ultra_recovery.core.database_request import REQUEST_VARIABLE, DatabaseAnswer, DatabaseRequest
from ultra_recovery.generate_sql import script
from ultra_recovery.jobs.runner import run as run_work
from ultra_recovery.jobs.runner import seconds_of
from ultra_recovery.jobs.work import Work

PROJECT = Path(__file__).resolve().parents[3]
NAMES = {"database": "orders", "app_user": "orders", "role": "recovery", "probe_role": "recovery_probe"}
ROLES = {"probe": "recovery_probe", "recovery": "recovery", "pooler": "console"}


def psql(server: Server, text: str) -> str:
    """Run a script as a person would."""
    programme = shutil.which("psql")
    assert programme is not None
    place = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "owner", "-d", "postgres"]
    return run([programme, "-X", "-q", "-v", "ON_ERROR_STOP=1", *place], server.folder, text, {"PGPASSWORD": "owner"})


def install(server: Server) -> None:
    """The application's role and database, and twice what we need."""
    psql(
        server,
        "CREATE ROLE orders LOGIN PASSWORD 'orders'; CREATE ROLE billing LOGIN PASSWORD 'billing';\n"
        "CREATE DATABASE orders OWNER orders;\n\\connect orders\n"
        "CREATE TABLE public.stock (id int PRIMARY KEY, left_over int);\n"
        "INSERT INTO public.stock VALUES (1, 10), (2, 10);\n"
        "ALTER TABLE public.stock OWNER TO orders; GRANT ALL ON public.stock TO billing;\n",
    )
    for _ in range(2):
        psql(server, script("postgres", NAMES))
    psql(server, "ALTER ROLE recovery PASSWORD 'recovery'; ALTER ROLE recovery_probe PASSWORD 'recovery_probe';\n")


@dataclass
class JobBench:
    """Starts Jobs in this process, and as processes of their own."""

    server: Server
    folder: Path
    poolers: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for role, user in ROLES.items():
            (self.folder / role).mkdir(parents=True, exist_ok=True)
            (self.folder / role / "username").write_text(user)
            (self.folder / role / "password").write_text(user)

    def request(self, action: dict[str, Any], **more: Any) -> DatabaseRequest:
        document = {
            # Its own for ever: what a Job of another test has begun on this server must not count as begun by this one.
            "id": f"orders-{uuid.uuid4().hex}",
            "engine": "postgres",
            "namespace": "shop",
            "breaker": "orders-db",
            "action": action,
            "servers": [{"host": "127.0.0.1", "port": self.server.port}],
            "database": "orders",
            "appUser": "orders",
            "hasRecoveryRole": True,
            "poolers": self.poolers,
            "hasPooler": bool(self.poolers),
            "poolerDatabase": "orders",
            "deadlineSeconds": 30,
            **more,
        }
        return DatabaseRequest.model_validate(document)

    def work(self, request: DatabaseRequest) -> Work:
        clock, access = SystemClock(), MountedAccess(request, self.folder)
        return Work(
            request=request,
            servers=PostgresServers(access),
            poolers=PgBouncers(access),
            hooks=HttpPoolHooks("test"),
            clock=clock,
            random=SystemRandom(),
            until=clock.boottime() + seconds_of(request),
        )

    async def run(self, action: dict[str, Any], **more: Any) -> tuple[DatabaseAnswer, int]:
        return await run_work(self.work(self.request(action, **more)))

    async def start(self, request: DatabaseRequest) -> asyncio.subprocess.Process:
        """The Job as its pod runs it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ultra_recovery.cli", "job"),
            *("--secrets", str(self.folder), "--result", str(self.result)),
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(PROJECT / "operator"),
                REQUEST_VARIABLE: request.model_dump_json(by_alias=True, exclude_defaults=True),
            },
            stderr=asyncio.subprocess.PIPE,
        )

    @property
    def result(self) -> Path:
        return self.folder / "result"

    def answer(self) -> dict[str, Any]:
        return dict(json.loads(self.result.read_text()))

    @asynccontextmanager
    async def client(
        self, user: str = "orders", application: str = "orders-web", port: int | None = None, database: str = "orders"
    ) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A client of the application."""
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=port or self.server.port,
            user=user,
            password=user,
            database=database,
            ssl="disable",
            timeout=10,
            statement_cache_size=0,
            server_settings={"application_name": application},
        )
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def leak(self, count: int = 1, statement: str = "SELECT 1", **how: Any) -> AsyncIterator[list[Any]]:
        """Clients that begin a transaction and forget about it."""
        async with AsyncExitStack() as stack:
            clients = []
            for _ in range(count):
                client = await stack.enter_async_context(self.client(**how))
                await client.execute("BEGIN")
                await client.execute(statement)
                clients.append(client)
            yield clients


async def is_alive(client: asyncpg.Connection[Any]) -> bool:
    """Whether a client's session still answers."""
    try:
        await client.execute("SELECT 1", timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True
