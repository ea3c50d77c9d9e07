"""The contract of the Jobs port. Jobs are made from CronJobs as the product makes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.world import World
from ultra_recovery.core.errors import AlreadyExists, Rejected
from ultra_recovery.core.job_document import job_document

LABELS = {"recovery.ultra.dev/policy": "orders"}


def cron_job(name: str = "repair", **pod: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "localhost/pause:1", "imagePullPolicy": "IfNotPresent"}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container], **pod}
    template = {"metadata": {"labels": {"team": "shop"}}, "spec": {"template": {"spec": spec}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": template},
    }


class JobsContract:
    @pytest.fixture
    async def wanted(self, world: World) -> dict[str, Any]:
        await world.add_cron_job(cron_job())
        found = await world.jobs.read_cron_job(world.namespace, "repair")
        assert found is not None
        return job_document(found, name="orders-1-1", labels=LABELS, environment={}, deadline_seconds=60)

    async def test_what_does_not_exist_reads_as_none(self, world: World):
        assert await world.jobs.read_cron_job(world.namespace, "repair") is None
        assert await world.jobs.read_job(world.namespace, "repair") is None

    async def test_a_cron_job_reads_back_with_its_template(self, world: World):
        await world.add_cron_job(cron_job())
        found = await world.jobs.read_cron_job(world.namespace, "repair")
        assert found is not None
        assert found["spec"]["suspend"] is True
        assert found["spec"]["jobTemplate"]["metadata"]["labels"] == {"team": "shop"}
        assert found["metadata"]["uid"]

    async def test_a_created_job_reads_back_with_its_owner_and_labels(self, world: World, wanted: dict[str, Any]):
        created = await world.jobs.create_job(world.namespace, wanted)
        found = await world.jobs.read_job(world.namespace, "orders-1-1")
        assert found is not None
        assert found["metadata"]["uid"] == created["metadata"]["uid"]
        assert found["metadata"]["ownerReferences"] == wanted["metadata"]["ownerReferences"]
        assert {"team": "shop", **LABELS}.items() <= found["metadata"]["labels"].items()
        assert (found["spec"]["activeDeadlineSeconds"], found["spec"]["ttlSecondsAfterFinished"]) == (60, 3600)

    async def test_creating_the_same_job_twice_says_that_it_exists(self, world: World, wanted: dict[str, Any]):
        await world.jobs.create_job(world.namespace, wanted)
        with pytest.raises(AlreadyExists):
            await world.jobs.create_job(world.namespace, wanted)

    async def test_creating_a_job_never_sets_its_status(self, world: World, wanted: dict[str, Any]):
        await world.jobs.create_job(world.namespace, wanted | {"status": {"succeeded": 1}})
        found = await world.jobs.read_job(world.namespace, "orders-1-1")
        assert found is not None
        assert not (found.get("status") or {}).get("succeeded")

    @pytest.mark.parametrize("part", ["containers", "restartPolicy"])
    async def test_a_job_that_cannot_run_is_rejected(self, world: World, wanted: dict[str, Any], part: str):
        del wanted["spec"]["template"]["spec"][part]
        with pytest.raises(Rejected):
            await world.jobs.create_job(world.namespace, wanted)
        assert await world.jobs.read_job(world.namespace, "orders-1-1") is None
