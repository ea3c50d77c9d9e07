"""Real servers for the contracts of probes, one of each kind for a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pymysql
import pytest

from tests.contract.database.job_bench import JobBench, install
from tests.contract.database.servers import Server, find_binary, mariadb, pgbouncer, postgres
from tests.contract.http_stage import LoopbackPolicy
from tests.unit.adapters.scene import Scene
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.database.locator import DatabaseLocator
from ultra_recovery.adapters.database.probe import DatabaseProber
from ultra_recovery.adapters.http.address import parse_rules
from ultra_recovery.adapters.http.resolve import Resolver
from ultra_recovery.adapters.memory.secrets import MemorySecrets
from ultra_recovery.apis.database import MysqlTarget, PostgresTarget
from ultra_recovery.core.probe import ProbeResult

POSTGRES = ("initdb", "postgres", "openssl")
PROGRAMMES = {
    "pg": POSTGRES,
    "pg_with_ours": (*POSTGRES, "psql"),
    "maria": ("mariadb-install-db", "mariadbd", "openssl"),
}
LONG = 20.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and list, the tests whose servers are not installed; `make test` installs them."""
    kept, left = [], []
    for item in items:
        names = [name for fixture in getattr(item, "fixturenames", ()) for name in PROGRAMMES.get(fixture, ())]
        if "bouncer" in getattr(item, "fixturenames", ()):
            names.append("pgbouncer")
        missing = sorted({name for name in names if find_binary(name) is None})
        (left if missing else kept).append(item)
        if missing:
            config.stash.setdefault(_LEFT, []).append(f"{item.nodeid}: no {', '.join(missing)}")
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


_LEFT = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(_LEFT, []):
        terminalreporter.write_line(f"DESELECTED {line}")


@pytest.fixture(scope="module")
def pg() -> Iterator[Server]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def pg_with_ours() -> Iterator[Server]:
    """With the roles and functions that Jobs need, and an application named orders."""
    with postgres() as server:
        install(server)
        yield server


@pytest.fixture
def jobs(pg_with_ours: Server, tmp_path: Path) -> JobBench:
    return JobBench(pg_with_ours, tmp_path)


@pytest.fixture(scope="module")
def maria() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(scope="module")
def bouncer(pg: Server) -> Iterator[Server]:
    with pgbouncer(pg.port, {"orders": "orders", "console": "console", "looker": "looker"}) as server:
        yield server


@dataclass
class Bench:
    """A prober, and a Service named orders-db in front of whatever server the test publishes."""

    prober: DatabaseProber
    scene: Scene
    secrets: MemorySecrets
    opened: list[Any] = field(default_factory=list)

    def publish(self, port: int, service: str = "orders-db", addresses: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.scene.service(service, 5432)
        endpoints = [self.scene.ready_pod(f"{service}-{address}", address) for address in addresses]
        self.scene.slice(endpoints, service, port)

    def login(self, user: str, password: str, secret: str = "probe", **more: str) -> None:
        self.secrets.data["shop", secret] = {"username": user, "password": password, **more}

    async def ask_postgres(self, within: float = LONG, **spec: Any) -> ProbeResult:
        return await self.prober.probe("shop", PostgresTarget.model_validate(self._spec(spec)), within, "orders-db")

    async def ask_mysql(self, within: float = LONG, **spec: Any) -> ProbeResult:
        return await self.prober.probe("shop", MysqlTarget.model_validate(self._spec(spec)), within, "orders-db")

    def _spec(self, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "serviceRef": {"name": "orders-db", "port": 5432},
            "database": "orders",
            "credentialsSecretRef": {"name": "probe"},
            **spec,
        }


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    scene, secrets, clock = Scene(), MemorySecrets(), SystemClock()
    policy = LoopbackPolicy(parse_rules("*.example.com"))
    locator = DatabaseLocator(scene.view, policy, Resolver(scene.view, policy), secrets)
    prober = DatabaseProber(locator, secrets, clock)
    yield Bench(prober, scene, secrets)
    prober.close()


async def open_postgres(port: int, user: str = "owner", database: str = "postgres") -> asyncpg.Connection[Any]:
    return await asyncpg.connect(
        host="127.0.0.1", port=port, user=user, password=user, database=database, ssl="disable", timeout=10
    )


def open_mysql(port: int, user: str = "owner", database: str | None = None) -> pymysql.Connection[Any]:
    return pymysql.connect(
        host="127.0.0.1", port=port, user=user, password=user, database=database, autocommit=True, connect_timeout=10
    )
