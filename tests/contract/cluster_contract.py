"""The contract of the Cluster port."""

from __future__ import annotations

import pytest

from tests.contract.world import World
from ultra_recovery.core.errors import Conflict, NotFound, TooManyRequests
from ultra_recovery.core.objects import Key, Kind

OTHER_UID = "11111111-2222-4333-8444-555555555555"


class ClusterContract:
    @pytest.fixture
    def key(self, world: World) -> Key:
        return Key(Kind.POD, world.namespace, "web-0")

    async def test_an_evicted_pod_terminates(self, world: World, key: Key):
        uid = await world.add_running_pod(key.name)
        await world.cluster.evict(key, uid)
        assert (await world.stored(key))["metadata"]["deletionTimestamp"]

    async def test_evicting_a_pod_again_while_it_terminates_is_accepted(self, world: World, key: Key):
        uid = await world.add_running_pod(key.name)
        await world.cluster.evict(key, uid)
        await world.cluster.evict(key, uid)

    async def test_another_pod_of_that_name_is_never_evicted(self, world: World, key: Key):
        await world.add_running_pod(key.name)
        with pytest.raises(Conflict):
            await world.cluster.evict(key, OTHER_UID)
        assert "deletionTimestamp" not in (await world.stored(key))["metadata"]

    async def test_a_pod_that_is_gone_is_not_found(self, world: World, key: Key):
        with pytest.raises(NotFound):
            await world.cluster.evict(key, OTHER_UID)

    async def test_a_disruption_budget_without_room_refuses(self, world: World, key: Key):
        uid = await world.add_running_pod(key.name)
        await world.protect_pods()
        with pytest.raises(TooManyRequests) as caught:
            await world.cluster.evict(key, uid)
        assert caught.value.budget
        assert "deletionTimestamp" not in (await world.stored(key))["metadata"]
