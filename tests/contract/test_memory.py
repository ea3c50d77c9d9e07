"""The twins in memory keep the contracts of the ports."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.contract.cluster_contract import ClusterContract
from tests.contract.intents_contract import IntentsContract
from tests.contract.jobs_contract import JobsContract
from tests.contract.leases_contract import LeasesContract
from tests.contract.objects_contract import ObjectsContract
from tests.contract.reports_contract import ReportsContract
from tests.contract.reviews_contract import ReviewsContract
from tests.contract.world import World
from ultra_recovery.adapters.memory import FakeClock, MemoryApi, MemoryReviewer
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.rights import Account, Right

pytestmark = pytest.mark.looptime


class MemoryWorld:
    namespace = "shop"

    def __init__(self) -> None:
        self.objects = self.cluster = self.leases = self.jobs = self.intents = MemoryApi(FakeClock())
        self._store = self.objects.store
        self.reviewer = MemoryReviewer()
        self._store.add(Kind.NAMESPACE, {"metadata": {"name": self.namespace}})

    async def add(self, kind: Kind, document: Mapping[str, Any]) -> Mapping[str, Any]:
        meta = {**document["metadata"], "namespace": self.namespace}
        return self._store.add(kind, {**document, "metadata": meta})

    async def stored(self, key: Key) -> Mapping[str, Any]:
        return copy.deepcopy(self._store.find(key))

    async def annotate(self, key: Key, name: str, value: str) -> None:
        self._store.change(key, lambda item: item["metadata"].setdefault("annotations", {}).update({name: value}))

    async def remove(self, key: Key) -> None:
        self._store.remove(key)

    async def add_running_pod(self, name: str) -> str:
        pod = {"metadata": {"name": name, "namespace": self.namespace}, "status": {"phase": "Running"}}
        return str(self._store.add(Kind.POD, pod)["metadata"]["uid"])

    async def grant(self, account: Account, rights: Sequence[Right]) -> None:
        self.reviewer.rights |= {(account.username, right, account.namespace) for right in rights}

    async def add_cron_job(self, document: Mapping[str, Any]) -> None:
        meta = {**document["metadata"], "namespace": self.namespace, "uid": self._store.next_uid()}
        self._store.cron_jobs[self.namespace, meta["name"]] = {**document, "metadata": meta}

    async def protect_pods(self) -> None:
        self._store.budgets[self.namespace] = None


@pytest.fixture
def world() -> World:
    return MemoryWorld()


class TestObjectsInMemory(ObjectsContract):
    pass


class TestClusterInMemory(ClusterContract):
    pass


class TestLeasesInMemory(LeasesContract):
    pass


class TestJobsInMemory(JobsContract):
    pass


class TestIntentsInMemory(IntentsContract):
    pass


class TestReportsInMemory(ReportsContract):
    pass


class TestReviewsInMemory(ReviewsContract):
    pass
