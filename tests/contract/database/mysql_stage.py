"""A MariaDB with the application's table, our users, and clients that misbehave as told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pymysql
from pymysql.cursors import DictCursor

from tests.contract.database.conftest import open_mysql
from tests.contract.database.servers import Server
from ultra_recovery.adapters.clock import SystemClock, SystemRandom
from ultra_recovery.adapters.database.access import Access
from ultra_recovery.adapters.database.mysql_session import MysqlServers
from ultra_recovery.apis.action import Action
from ultra_recovery.apis.database import DatabaseTls
from ultra_recovery.core.database_request import DatabaseAnswer, DatabaseRequest, Engine, Part, Place, Room
from ultra_recovery.generate_sql import script
from ultra_recovery.job_ports import DatabaseSession, Role
from ultra_recovery.jobs.runner import run
from ultra_recovery.jobs.work import Work

NAMES = {"database": "orders", "app_user": "orders", "role": "recovery", "probe_role": "recovery_probe"}
PASSWORDS = {"orders": "o'rders", "recovery": "r€covery", "recovery_probe": "probe"}
Client: TypeAlias = "pymysql.Connection[Any]"


def install(server: Server) -> None:
    """Everything that an administrator installs, by the script that we print; again does no harm."""
    owner = open_mysql(server.port)
    text = script("mysql", NAMES)
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    statements = [
        "CREATE DATABASE IF NOT EXISTS orders",
        "CREATE TABLE IF NOT EXISTS orders.ledger (id INT PRIMARY KEY, v INT NOT NULL, pad VARCHAR(200))",
        "REPLACE INTO orders.ledger SELECT seq, 0, '' FROM orders.seq_1_to_1000",
        "CREATE USER IF NOT EXISTS orders@'%'",
        "GRANT ALL ON orders.* TO orders@'%'",
        *(statement for statement in lines.split(";") if statement.strip()),
        *(
            f"ALTER USER {user}@'%' IDENTIFIED BY {owner.escape(word)} ACCOUNT UNLOCK"
            for user, word in PASSWORDS.items()
        ),
        "SET GLOBAL max_connections = 10",
        "TRUNCATE recovery.action",
    ]
    try:
        for statement in statements:
            ask(owner, statement)
    finally:
        owner.close()


def ask(client: Client, statement: str, *values: object) -> list[dict[str, Any]]:
    with client.cursor(DictCursor) as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


@dataclass
class Stage:
    """Opens clients, and closes them at the end."""

    server: Server
    clients: list[Client] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place(host="127.0.0.1", port=self.server.port)

    @property
    def servers(self) -> MysqlServers:
        return MysqlServers(self.access, SystemClock())

    def access(self, place: Place, role: Role, database: str) -> Access:
        user = {Role.RECOVERY: "recovery", Role.PROBE: "recovery_probe"}[role]
        tls = DatabaseTls(mode="Prefer")
        return Access(place.host, place.port, user, PASSWORDS[user], database, "orders", tls)

    def owner(self) -> Client:
        client = open_mysql(self.server.port, database="orders")
        self.clients.append(client)
        return client

    def app(self, user: str = "orders", database: str | None = "orders") -> Client:
        client = pymysql.connect(
            host="127.0.0.1",
            port=self.server.port,
            user=user,
            password=PASSWORDS[user].encode(),
            database=database,
            autocommit=True,
            connect_timeout=10,
        )
        self.clients.append(client)
        return client

    def leak(self, row: int = 1) -> Client:
        """A session that holds a lock inside a transaction and does nothing."""
        client = self.app()
        ask(client, "BEGIN")
        ask(client, "UPDATE ledger SET v = v + 1 WHERE id = %s", row)
        return client

    def behind(self, client: Client, statement: str) -> list[object]:
        """Run a statement in a thread; the list gets its rows, or its error."""
        result: list[object] = []

        def work() -> None:
            try:
                result.append(ask(client, statement))
            except pymysql.MySQLError as error:
                result.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        self.threads.append(thread)
        return result

    def join(self) -> None:
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()

    def close(self) -> None:
        for client in self.clients:
            with contextlib.suppress(pymysql.MySQLError):
                client.close()
        for thread in self.threads:
            thread.join(20)

    async def session(self, role: Role = Role.RECOVERY, database: str = "", within: float = 5.0) -> DatabaseSession:
        return await self.servers.open(self.place, role, database, within)

    async def act(self, action: dict[str, Any], name: str = "job", **more: Any) -> tuple[DatabaseAnswer, int]:
        """What the pod of a Job does."""
        clock = SystemClock()
        request = DatabaseRequest(
            **{
                "id": name,
                "part": Part.DO,
                "engine": Engine.MYSQL,
                "namespace": "shop",
                "breaker": "orders-db",
                "action": Action.model_validate(action),
                "servers": [self.place],
                "database": "orders",
                "app_user": "orders",
                "has_recovery_role": True,
                "room": Room(declared=100),
                "deadline_seconds": 30,
                **more,
            }
        )
        nobody: Any = None
        return await run(Work(request, self.servers, nobody, nobody, clock, SystemRandom(), clock.boottime() + 30.0))


@contextlib.contextmanager
def stage(server: Server) -> Iterator[Stage]:
    install(server)
    here = Stage(server)
    try:
        yield here
    finally:
        here.close()
        closed(server)


def closed(server: Server) -> None:
    """Wait until the server has seen every client off: the next test counts connections."""
    owner = open_mysql(server.port)
    try:
        for _ in range(100):
            if len(ask(owner, "SELECT id FROM information_schema.processlist")) == 1:
                return
            ask(owner, "DO SLEEP(0.05)")
    finally:
        owner.close()
