"""The adapters on a real API server keep the contracts of the ports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.cluster_contract import ClusterContract
from tests.contract.leases_contract import LeasesContract
from tests.contract.objects_contract import ObjectsContract
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.kubernetes.cluster import KubernetesCluster
from ultra_recovery.adapters.kubernetes.connection import MERGE_PATCH, Connection
from ultra_recovery.adapters.kubernetes.leases import KubernetesLeases
from ultra_recovery.adapters.kubernetes.objects import KubernetesObjects, collection_path, object_path
from ultra_recovery.adapters.kubernetes.version import missing_crds
from ultra_recovery.core.errors import AlreadyExists, ApiError, NotFound, Rejected
from ultra_recovery.core.objects import Key, Kind

_LOCAL = Path(__file__).parents[2] / ".cluster" / "kubeconfig"
KUBECONFIG = os.environ.get("KUBECONFIG") or (str(_LOCAL) if _LOCAL.exists() else "")

pytestmark = pytest.mark.skipif(not KUBECONFIG, reason="needs a cluster: set KUBECONFIG, or run make cluster")


class RealWorld:
    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection = connection
        self.namespace = namespace
        self.objects = KubernetesObjects(connection)
        self.cluster = KubernetesCluster(connection)
        self.leases = KubernetesLeases(connection)
        self._kept: list[Key] = []

    async def add(self, kind: Kind, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.connection.request("POST", collection_path(kind, self.namespace), body=document)

    async def stored(self, key: Key) -> Mapping[str, Any]:
        return await self.connection.request("GET", object_path(key))

    async def annotate(self, key: Key, name: str, value: str) -> None:
        body = {"metadata": {"annotations": {name: value}}}
        await self.connection.request("PATCH", object_path(key), body=body, content_type=MERGE_PATCH)

    async def remove(self, key: Key) -> None:
        await self.connection.request("DELETE", object_path(key))

    async def add_running_pod(self, name: str) -> str:
        # No node runs this pod: the test writes its status. The finalizer of the test keeps it in Terminating.
        labels = {"app": "web"}
        meta = {"name": name, "labels": labels, "finalizers": ["example.com/kept-by-the-test"]}
        spec = {
            "nodeName": "no-such-node",
            "containers": [{"name": "main", "image": "example"}],
            "terminationGracePeriodSeconds": 30,
        }
        pod = await self.add(Kind.POD, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        key = Key(Kind.POD, self.namespace, name)
        self._kept.append(key)
        conditions = [{"type": "Ready", "status": "True"}]
        status = {"status": {"phase": "Running", "conditions": conditions}}
        await self.connection.request("PATCH", f"{object_path(key)}/status", body=status, content_type=MERGE_PATCH)
        return str(pod["metadata"]["uid"])

    async def protect_pods(self) -> None:
        await self.add_budget("none")

    async def add_budget(self, name: str) -> None:
        """A budget whose status says that nothing may be disrupted; its controller would say so a moment later."""
        path = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets"
        spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}
        body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}
        await self.connection.request("POST", path, body=body)

    async def clean(self) -> None:
        for key in self._kept:
            try:
                await self.connection.request(
                    "PATCH", object_path(key), body={"metadata": {"finalizers": None}}, content_type=MERGE_PATCH
                )
                query = {"gracePeriodSeconds": "0"}
                await self.connection.request("DELETE", object_path(key), query=query)
            except NotFound:
                continue
        await self.connection.request("DELETE", f"/api/v1/namespaces/{self.namespace}")


async def _define_kinds(connection: Connection) -> None:
    """Add our CRDs where they are missing, and wait until they are served."""
    if not await missing_crds(connection):
        return
    for path in sorted((Path(__file__).parents[2] / "crds").glob("*.yaml")):
        with contextlib.suppress(AlreadyExists):
            definition = yaml.safe_load(path.read_text())
            await connection.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body=definition)
    async with asyncio.timeout(30):
        while await missing_crds(connection):
            await SystemClock().sleep(0.2)


@pytest.fixture
async def world() -> AsyncIterator[RealWorld]:
    async with await Connection.open(KUBECONFIG) as connection:
        await _define_kinds(connection)
        name = f"contract-{uuid.uuid4().hex[:8]}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await connection.request("POST", "/api/v1/namespaces", body=body)
        world = RealWorld(connection, name)
        try:
            yield world
        finally:
            await world.clean()


class TestObjectsOnTheServer(ObjectsContract):
    pass


class TestClusterOnTheServer(ClusterContract):
    pass


class TestLeasesOnTheServer(LeasesContract):
    pass


async def test_a_pod_under_two_budgets_is_rejected_for_good_with_a_sentence(world: RealWorld):
    uid = await world.add_running_pod("web-0")
    await world.add_budget("one")
    await world.add_budget("two")
    with pytest.raises(Rejected, match="two PodDisruptionBudgets"):
        await world.cluster.evict(Key(Kind.POD, world.namespace, "web-0"), uid)


async def test_lists_of_some_namespaces_show_those_only(world: RealWorld):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    await world.add(Kind.SERVICE, service)
    version, documents = await KubernetesObjects(world.connection, [world.namespace, "default"]).list(Kind.SERVICE)
    assert version
    assert {item["metadata"]["namespace"] for item in documents} == {world.namespace, "default"}


async def test_all_kinds_of_ours_are_served(world: RealWorld):
    assert await missing_crds(world.connection) == []


async def test_the_address_of_the_api_server_is_known(world: RealWorld):
    assert world.connection.server_addresses()


async def test_a_request_to_an_unknown_path_is_not_found(world: RealWorld):
    with pytest.raises(NotFound):
        await world.connection.request("GET", "/apis/nothing.example.com/v1")


async def test_a_kubeconfig_that_does_not_exist_is_an_error_with_its_reason():
    with pytest.raises(ApiError, match="kubeconfig"):
        await Connection.open("/nonexistent/kubeconfig")
