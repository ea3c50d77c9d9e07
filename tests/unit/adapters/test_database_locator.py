"""Where a database Job has to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.adapters.scene import Scene
from ultra_recovery.adapters.database.locator import DatabaseLocator
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.resolve import Resolver
from ultra_recovery.adapters.memory.secrets import MemorySecrets
from ultra_recovery.apis.database import PostgresTarget
from ultra_recovery.core.database_request import Place

TARGET = PostgresTarget.model_validate(
    {"serviceRef": {"name": "orders", "port": 80}, "database": "orders", "credentialsSecretRef": {"name": "probe"}}
)


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.service()
    return made


def unready_pod(scene: Scene, name: str, address: str) -> Mapping[str, Any]:
    """Add a pod that is not ready; returns its endpoint."""
    scene.pod(name, address)
    return scene.endpoint(address, name, ready=False)


async def servers(scene: Scene) -> list[Place]:
    secrets = MemorySecrets()
    secrets.data[(scene.namespace, "probe")] = {"username": "probe", "password": "probe"}
    policy = AddressPolicy(parse_rules(""), ["10.96.0.1"])
    locator = DatabaseLocator(scene.view, policy, Resolver(scene.view, policy), secrets)
    return list((await locator.locate(scene.namespace, "db", TARGET, None)).servers)


async def test_a_job_goes_to_the_ready_pods_alone(scene: Scene):
    scene.slice([scene.ready_pod("a", "10.1.0.1"), unready_pod(scene, "b", "10.1.0.2")])
    assert await servers(scene) == [Place(host="10.1.0.1", port=8080)]


async def test_while_no_pod_is_ready_a_job_waits_at_the_addresses_where_the_server_comes_back(scene: Scene):
    scene.slice([unready_pod(scene, "b", "10.1.0.2")])
    assert await servers(scene) == [Place(host="10.1.0.2", port=8080)]
