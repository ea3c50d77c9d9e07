"""The contract of the Leases port."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.world import World
from ultra_recovery.core.errors import AlreadyExists, Conflict, NotFound, Rejected
from ultra_recovery.ports import LeaseRecord

NOW = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)


class LeasesContract:
    @pytest.fixture
    def wanted(self, world: World) -> LeaseRecord:
        labels = {"recovery.ultra.dev/policy": "orders"}
        return LeaseRecord(world.namespace, "leader", "a", 15, 1, NOW, NOW, labels=labels)

    async def test_a_lease_that_does_not_exist_reads_as_none(self, world: World):
        assert await world.leases.read(world.namespace, "leader") is None

    async def test_a_created_lease_reads_back_to_the_microsecond(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        assert created.version
        assert replace(created, version="", uid="") == wanted
        assert await world.leases.read(world.namespace, "leader") == created

    async def test_only_one_of_many_creators_wins(self, world: World, wanted: LeaseRecord):
        tries = [world.leases.create(replace(wanted, holder=holder)) for holder in "abcde"]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(item).__name__ for item in results) == ["AlreadyExists"] * 4 + ["LeaseRecord"]
        stored = await world.leases.read(world.namespace, "leader")
        assert stored in results

    async def test_creating_an_existing_lease_says_that_it_exists(self, world: World, wanted: LeaseRecord):
        await world.leases.create(wanted)
        with pytest.raises(AlreadyExists):
            await world.leases.create(wanted)

    async def test_a_replaced_lease_reads_back(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        later = NOW + timedelta(seconds=2, microseconds=1)
        replaced = await world.leases.replace(replace(created, holder="b", transitions=2, renewed_at=later))
        assert replaced.version != created.version
        assert await world.leases.read(world.namespace, "leader") == replaced
        assert (replaced.holder, replaced.transitions, replaced.renewed_at) == ("b", 2, later)

    async def test_only_the_first_of_two_writers_of_one_version_wins(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        await world.leases.replace(replace(created, holder="b"))
        with pytest.raises(Conflict):
            await world.leases.replace(replace(created, holder="c"))

    async def test_a_lease_can_be_released_without_deleting_it(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        await world.leases.replace(replace(created, holder="", duration=1))
        stored = await world.leases.read(world.namespace, "leader")
        assert stored is not None
        assert (stored.holder, stored.duration) == ("", 1)

    async def test_replacing_never_brings_a_lease_back_that_is_gone(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        await world.leases.delete(created)
        with pytest.raises((Conflict, NotFound)):
            await world.leases.replace(replace(created, holder="b"))
        assert await world.leases.read(world.namespace, "leader") is None

    async def test_replacing_never_touches_a_newer_lease_of_that_name(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        await world.leases.delete(created)
        await world.leases.create(replace(wanted, holder="other"))
        with pytest.raises(Conflict):
            await world.leases.replace(replace(created, holder="b"))

    async def test_replacing_without_a_version_is_rejected(self, world: World, wanted: LeaseRecord):
        await world.leases.create(wanted)
        with pytest.raises(Rejected):
            await world.leases.replace(wanted)

    async def test_a_deleted_lease_is_gone(self, world: World, wanted: LeaseRecord):
        await world.leases.delete(await world.leases.create(wanted))
        assert await world.leases.read(world.namespace, "leader") is None

    async def test_a_lease_that_changed_is_not_deleted(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        await world.leases.replace(replace(created, holder="b"))
        with pytest.raises(Conflict):
            await world.leases.delete(created)
        assert await world.leases.read(world.namespace, "leader") is not None

    async def test_deleting_a_lease_twice_is_not_found(self, world: World, wanted: LeaseRecord):
        created = await world.leases.create(wanted)
        await world.leases.delete(created)
        with pytest.raises(NotFound):
            await world.leases.delete(created)
