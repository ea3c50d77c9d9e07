"""The contract of the Objects port."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.world import World, breaker, run
from tests.listing import listed
from ultra_recovery.core.errors import AlreadyExists, Conflict, NotFound, Rejected
from ultra_recovery.core.objects import Key, Kind


def _version(document: Any) -> str:
    return str(document["metadata"]["resourceVersion"])


def _knows(mine: str, known: set[str], left_out: list[str], namespace: str, name: str, _: str) -> bool:
    """Say yes to known names of a namespace, and note them."""
    if namespace != mine or name not in known:
        return False
    left_out.append(name)
    return True


class ObjectsContract:
    @pytest.fixture
    def key(self, world: World) -> Key:
        return Key(Kind.BREAKER, world.namespace, "orders")

    async def test_a_list_shows_all_objects_of_the_kind_and_a_version(self, world: World):
        await world.add(Kind.BREAKER, breaker("one"))
        await world.add(Kind.BREAKER, breaker("two"))
        version, documents = await listed(world.objects, Kind.BREAKER)
        mine = [item for item in documents if item["metadata"]["namespace"] == world.namespace]
        assert sorted(item["metadata"]["name"] for item in mine) == ["one", "two"]
        assert int(version) >= max(int(_version(item)) for item in mine)

    async def test_a_list_passes_on_every_object_that_is_not_known_in_its_version(self, world: World):
        for name in ("one", "two", "three"):
            await world.add(Kind.BREAKER, breaker(name))
        for known in ({"one", "three"}, {"one", "three"}, set[str]()):
            taken, left_out = list[Mapping[str, Any]](), list[str]()
            knows = functools.partial(_knows, world.namespace, known, left_out)
            await world.objects.list(Kind.BREAKER, taken.append, knows)
            names = [item["metadata"]["name"] for item in taken if item["metadata"]["namespace"] == world.namespace]
            assert set(left_out) <= known
            assert sorted([*names, *left_out]) == ["one", "three", "two"]

    async def test_a_list_of_one_namespace_shows_what_was_written_right_before_it_and_nothing_else(self, world: World):
        key = Key(Kind.BREAKER, world.namespace, "one")
        await world.add(Kind.BREAKER, breaker("one"))
        for value in ("first", "second", "third"):
            await world.annotate(key, "example.com/touched", value)
            taken = list[Mapping[str, Any]]()
            version = await world.objects.list_now(Kind.BREAKER, world.namespace, taken.append)
            (item,) = taken
            assert item["metadata"]["annotations"]["example.com/touched"] == value
            assert int(version) >= int(_version(item))

    @pytest.mark.parametrize("kind", list(Kind), ids=str)
    async def test_every_kind_that_is_read_can_be_listed(self, world: World, kind: Kind):
        version, _ = await listed(world.objects, kind)
        assert version

    async def test_a_namespace_is_listed_with_its_annotations(self, world: World):
        await world.annotate(Key(Kind.NAMESPACE, "", world.namespace), "example.com/touched", "yes")
        _, documents = await listed(world.objects, Kind.NAMESPACE)
        (mine,) = [item for item in documents if item["metadata"]["name"] == world.namespace]
        assert mine["metadata"]["annotations"]["example.com/touched"] == "yes"

    async def test_a_created_run_is_stored_with_what_the_server_assigns(self, world: World):
        stored = await world.objects.create_run(world.namespace, run())
        meta = stored["metadata"]
        assert (meta["namespace"], meta["name"], meta["generation"]) == (world.namespace, "orders-1-1", 1)
        assert meta["uid"]
        assert meta["creationTimestamp"]
        assert stored["spec"]["triggers"] == ["pods"]

    async def test_creating_a_run_never_sets_its_status(self, world: World):
        stored = await world.objects.create_run(world.namespace, run() | {"status": {"phase": "Succeeded"}})
        assert "status" not in stored

    async def test_creating_the_same_run_twice_says_that_it_exists(self, world: World):
        await world.objects.create_run(world.namespace, run())
        with pytest.raises(AlreadyExists):
            await world.objects.create_run(world.namespace, run())

    async def test_a_run_that_does_not_fit_the_schema_is_rejected(self, world: World):
        wrong = run()
        wrong["spec"]["incident"] = 0
        with pytest.raises(Rejected):
            await world.objects.create_run(world.namespace, wrong)

    async def test_an_object_is_read_as_it_is_stored(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        assert await world.objects.read_object(key) == added
        await world.annotate(key, "example.com/touched", "yes")
        assert _version(await world.objects.read_object(key)) != _version(added)

    async def test_an_object_that_does_not_exist_is_not_found(self, world: World, key: Key):
        with pytest.raises(NotFound):
            await world.objects.read_object(key)

    async def test_a_written_status_is_stored_and_spec_and_generation_stay(self, world: World, key: Key):
        before = await world.add(Kind.BREAKER, breaker())
        after = await world.objects.write_status(key, {"state": "Closed", "epoch": 1}, {}, _version(before))
        assert after["status"]["state"] == "Closed"
        assert after["metadata"]["generation"] == before["metadata"]["generation"]
        assert _version(after) != _version(before)
        assert (await world.stored(key))["status"] == after["status"]

    async def test_keys_that_are_not_in_the_new_status_vanish(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        first = {"state": "Open", "epoch": 1, "nextProbeAt": "2026-01-05T09:00:00.000Z"}
        one = await world.objects.write_status(key, first, {}, _version(added))
        two = await world.objects.write_status(key, {"state": "Closed", "epoch": 2}, one["status"], _version(one))
        assert "nextProbeAt" not in two["status"]
        assert two["status"]["epoch"] == 2

    async def test_an_unchanged_status_is_no_new_version(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        one = await world.objects.write_status(key, {"state": "Closed"}, {}, _version(added))
        two = await world.objects.write_status(key, {"state": "Closed"}, one["status"], _version(one))
        assert _version(two) == _version(one)

    async def test_a_status_for_an_older_version_is_refused_and_nothing_changes(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        await world.annotate(key, "example.com/touched", "yes")
        with pytest.raises(Conflict):
            await world.objects.write_status(key, {"state": "Open"}, {}, _version(added))
        assert "status" not in await world.stored(key)

    async def test_a_status_for_an_older_version_is_refused_even_when_it_changes_nothing(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        await world.objects.write_status(key, {"state": "Closed"}, {}, _version(added))
        with pytest.raises(Conflict):
            await world.objects.write_status(key, {"state": "Closed"}, {"state": "Closed"}, _version(added))

    async def test_a_status_of_an_object_that_is_gone_is_not_found(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        await world.remove(key)
        with pytest.raises(NotFound):
            await world.objects.write_status(key, {"state": "Open"}, {}, _version(added))

    async def test_a_status_that_does_not_fit_the_schema_is_rejected(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        with pytest.raises(Rejected):
            await world.objects.write_status(key, {"state": "Ajar"}, {}, _version(added))
