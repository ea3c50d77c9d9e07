"""The Kubernetes adapters keep the contracts of the ports on a real API server. KUBECONFIG must name a cluster."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.contract.cluster_contract import ClusterContract
from tests.contract.intents_contract import IntentsContract
from tests.contract.jobs_contract import JobsContract
from tests.contract.leases_contract import LeasesContract
from tests.contract.objects_contract import ObjectsContract
from tests.contract.reports_contract import ReportsContract
from tests.contract.reviews_contract import ReviewsContract
from tests.contract.world import World, breaker, run
from tests.listing import listed
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.kubernetes.cluster import KubernetesCluster
from ultra_recovery.adapters.kubernetes.connection import MERGE_PATCH, Connection
from ultra_recovery.adapters.kubernetes.events import EventSink
from ultra_recovery.adapters.kubernetes.intents import KubernetesIntents
from ultra_recovery.adapters.kubernetes.jobs import KubernetesJobs
from ultra_recovery.adapters.kubernetes.leases import KubernetesLeases
from ultra_recovery.adapters.kubernetes.objects import KubernetesObjects
from ultra_recovery.adapters.kubernetes.paths import path, path_of
from ultra_recovery.adapters.kubernetes.reviews import KubernetesReviewer
from ultra_recovery.adapters.kubernetes.version import missing_crds
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import NotFound, Rejected
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.rights import Account, Right, grant
from ultra_recovery.ports import Reviewed

_CLOCK = SystemClock()
_WAIT = 60.0


class KubernetesWorld:
    """A namespace of a real cluster."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection = connection
        self.namespace = namespace
        self.objects = KubernetesObjects(connection)
        self.cluster = KubernetesCluster(connection)
        self.leases = KubernetesLeases(connection)
        self.jobs = KubernetesJobs(connection)
        self.intents = KubernetesIntents(connection)
        self.reviewer = KubernetesReviewer(connection)

    async def add(self, kind: Kind, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.connection.request("POST", path_of(kind, self.namespace), body=document)

    async def stored(self, key: Key) -> Mapping[str, Any]:
        return await self.connection.request("GET", path_of(key.kind, key.namespace, key.name))

    async def annotate(self, key: Key, name: str, value: str) -> None:
        body = {"metadata": {"annotations": {name: value}}}
        where = path_of(key.kind, key.namespace, key.name)
        await self.connection.request("PATCH", where, body=body, content_type=MERGE_PATCH)

    async def remove(self, key: Key) -> None:
        await self.connection.request("DELETE", path_of(key.kind, key.namespace, key.name))

    async def add_running_pod(self, name: str) -> str:
        """A pod that a finalizer holds, so that it stays while it terminates."""
        container = {"name": "pause", "image": "localhost/pause:1", "imagePullPolicy": "IfNotPresent"}
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}, "finalizers": ["example.com/hold"]},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "containers": [container],
            },
        }
        pod = await self.add(Kind.POD, document)
        key = Key(Kind.POD, self.namespace, name)

        async def runs() -> bool:
            return (await self.stored(key))["status"].get("phase") == "Running"

        await until(runs)
        return str(pod["metadata"]["uid"])

    async def grant(self, account: Account, rights: Sequence[Right]) -> None:
        for item in grant(account, rights)["items"]:
            plural = f"{item['kind'].lower()}s"
            await self.connection.request("POST", path(item["apiVersion"], plural, account.namespace), body=item)
        who = Reviewed(account.username, groups=account.groups)

        async def in_force() -> bool:
            return await self.reviewer.allowed(who, rights[-1], account.namespace)

        await until(in_force)

    async def add_cron_job(self, document: Mapping[str, Any]) -> None:
        await self.connection.request("POST", path("batch/v1", "cronjobs", self.namespace), body=document)

    async def protect_pods(self, *names: str) -> None:
        for name in names or ("web",):
            document = {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": name},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            }
            where = path("policy/v1", "poddisruptionbudgets", self.namespace)
            await self.connection.request("POST", where, body=document)

    async def let_pods_go(self) -> None:
        _, pods = await listed(KubernetesObjects(self.connection, [self.namespace]), Kind.POD)
        for pod in pods:
            where = path_of(Kind.POD, self.namespace, pod["metadata"]["name"])
            body = {"metadata": {"finalizers": None}}
            await self.connection.request("PATCH", where, body=body, content_type=MERGE_PATCH)


async def until(holds: Any) -> None:
    async with asyncio.timeout(_WAIT):
        while not await holds():
            await _CLOCK.sleep(0.1)


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail("These tests need a cluster with the CRDs of this project: set KUBECONFIG to its kubeconfig.")
    async with await Connection.open(kubeconfig) as connection:
        yield connection


@pytest.fixture
async def world(connection: Connection) -> AsyncIterator[World]:
    name = f"adapters-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await connection.request("POST", path("v1", "namespaces"), body=body)
    world = KubernetesWorld(connection, name)
    try:
        yield world
    finally:
        await world.let_pods_go()
        await connection.request("DELETE", path("v1", "namespaces", name=name))


class TestObjectsInKubernetes(ObjectsContract):
    async def test_only_the_named_namespaces_are_listed(self, world: KubernetesWorld):
        await world.add(Kind.RUN, run())
        await world.add(Kind.BREAKER, breaker())
        _, elsewhere = await listed(KubernetesObjects(world.connection, ["default"]), Kind.BREAKER)
        assert world.namespace not in {item["metadata"]["namespace"] for item in elsewhere}
        _, both = await listed(KubernetesObjects(world.connection, ["default", world.namespace]), Kind.BREAKER)
        assert [item["metadata"]["name"] for item in both if item["metadata"]["namespace"] == world.namespace] == [
            "orders"
        ]

    async def test_named_namespaces_are_read_one_by_one_and_a_missing_one_is_left_out(self, world: KubernetesWorld):
        objects = KubernetesObjects(world.connection, [world.namespace, "there-is-none"])
        version, documents = await listed(objects, Kind.NAMESPACE)
        assert [item["metadata"]["name"] for item in documents] == [world.namespace]
        assert int(version) >= int(documents[0]["metadata"]["resourceVersion"])

    async def test_items_of_built_in_kinds_say_what_they_are(self, world: KubernetesWorld):
        _, services = await listed(world.objects, Kind.SERVICE)
        assert {(item["apiVersion"], item["kind"]) for item in services} == {("v1", "Service")}


class TestClusterInKubernetes(ClusterContract):
    async def test_a_pod_under_two_budgets_can_never_be_evicted(self, world: KubernetesWorld, key: Key):
        uid = await world.add_running_pod(key.name)
        await world.protect_pods("one", "two")
        with pytest.raises(Rejected, match="two PodDisruptionBudgets"):
            await world.cluster.evict(key, uid)

    async def test_a_pod_that_was_evicted_and_went_is_not_found(self, world: KubernetesWorld, key: Key):
        uid = await world.add_running_pod(key.name)
        await world.cluster.evict(key, uid)
        await world.let_pods_go()

        async def gone() -> bool:
            try:
                await world.stored(key)
            except NotFound:
                return True
            return False

        await until(gone)
        with pytest.raises(NotFound):
            await world.cluster.evict(key, uid)


class TestLeasesInKubernetes(LeasesContract):
    pass


class TestIntentsInKubernetes(IntentsContract):
    pass


class TestReportsInKubernetes(ReportsContract):
    pass


class TestReviewsInKubernetes(ReviewsContract):
    pass


class TestLocalReviewsInKubernetes(ReviewsContract):
    """The questions that a Role may allow."""

    @pytest.fixture
    async def world(self, world: KubernetesWorld) -> World:
        world.reviewer = KubernetesReviewer(world.connection, local=True)
        return world


class TestJobsInKubernetes(JobsContract):
    pass


async def test_the_cluster_has_our_kinds(connection: Connection):
    assert await missing_crds(connection) == []


async def test_the_addresses_of_the_server_are_known_as_addresses(connection: Connection):
    addresses = connection.server_addresses()
    assert addresses
    assert all(ipaddress.ip_address(item) for item in addresses)


async def test_a_request_to_an_unknown_path_is_not_found(connection: Connection):
    with pytest.raises(NotFound):
        await connection.request("GET", "/apis/nothing.example.com/v1")


async def test_events_are_visible_to_kubectl(world: KubernetesWorld):
    stored = await world.add(Kind.BREAKER, breaker())
    key = Key(Kind.BREAKER, world.namespace, "orders")
    dropped: list[int] = []
    sink = EventSink(world.connection, _CLOCK, lambda: dropped.append(1))
    uid = stored["metadata"]["uid"]
    for number in range(3):
        sink.publish(Notice(Topic.BREAKER_TRANSITION, key, uid, Reason.PROBE_FAILED, f"no {number}", warning=True))
    task = asyncio.create_task(sink.run())

    async def told() -> bool:
        return "ProbeFailed" in await describe(key)

    await until(told)
    task.cancel()
    text = await describe(key)
    assert "Warning" in text
    assert "ultra-recovery" in text
    assert "no 2" in text
    assert "x3" in text
    assert not dropped


async def describe(key: Key) -> str:
    kubectl = Path(os.environ["KUBECONFIG"]).parent / "bin" / "kubectl"
    command = str(kubectl) if kubectl.is_file() else "kubectl"
    arguments = ("-n", key.namespace, "describe", f"{key.kind}.recovery.ultra.dev", key.name)
    process = await asyncio.create_subprocess_exec(command, *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()
