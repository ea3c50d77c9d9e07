"""The contract of the Intents port."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.world import World, breaker
from ultra_recovery.core.errors import Conflict, NotFound
from ultra_recovery.core.objects import Key, Kind


def annotations(document: Any) -> dict[str, str]:
    return document["metadata"].get("annotations") or {}


class IntentsContract:
    @pytest.fixture
    def key(self, world: World) -> Key:
        return Key(Kind.BREAKER, world.namespace, "orders")

    async def test_an_annotation_is_added_to_those_that_are_there(self, world: World, key: Key):
        await world.add(Kind.BREAKER, breaker())
        await world.annotate(key, "example.com/touched", "yes")
        stored = await world.intents.annotate(key, {"example.com/asked": "1"})
        assert annotations(stored) == {"example.com/touched": "yes", "example.com/asked": "1"}
        assert stored["metadata"]["generation"] == 1

    async def test_an_annotation_for_an_older_version_is_refused_and_nothing_changes(self, world: World, key: Key):
        added = await world.add(Kind.BREAKER, breaker())
        await world.annotate(key, "example.com/touched", "yes")
        with pytest.raises(Conflict):
            await world.intents.annotate(key, {"example.com/asked": "1"}, str(added["metadata"]["resourceVersion"]))
        assert annotations(await world.stored(key)) == {"example.com/touched": "yes"}

    async def test_an_annotation_of_an_object_that_is_gone_is_not_found(self, world: World, key: Key):
        with pytest.raises(NotFound):
            await world.intents.annotate(key, {"example.com/asked": "1"})
