"""The table: a list is taken in steps, and the slices of a Service are found without a search."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from ultra_recovery.adapters.memory import FakeClock, MemoryApi, MemoryStore
from ultra_recovery.core.errors import Unavailable
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.engine.table import Table, level, level_now
from ultra_recovery.ports import Knows, Take


def slice_of(service: str, name: str = "web-1", version: str = "5") -> dict[str, Any]:
    meta = {"namespace": "shop", "name": name, "resourceVersion": version, "uid": name}
    return {"metadata": {**meta, "labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4"}


class Lists(MemoryApi):
    """A server that lists what a test says: documents, and between them what happens meanwhile."""

    def __init__(self, version: str, *steps: dict[str, Any] | Callable[[], None]) -> None:
        super().__init__(FakeClock(), MemoryStore(FakeClock()))
        self._version, self._steps = version, steps

    async def list(self, kind: Kind, take: Take, knows: Knows) -> str:
        for step in self._steps:
            if callable(step):
                step()
            else:
                take(step)
        return self._version


def break_off() -> None:
    raise Unavailable("the list broke off")


def names(table: Table, service: str) -> list[str]:
    return [item.meta.key.name for item in table.slices("shop", service)]


async def test_the_slices_of_a_service_follow_every_change() -> None:
    table = Table()
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web"))
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web", "web-2"))
    assert names(table, "web") == ["web-1", "web-2"]
    table.apply(Kind.ENDPOINT_SLICE, slice_of("other", version="6"))
    assert (names(table, "web"), names(table, "other")) == (["web-2"], ["web-1"])
    table.apply(Kind.ENDPOINT_SLICE, slice_of("other", version="7"), deleted=True)
    await level(table, Lists("9"), Kind.ENDPOINT_SLICE)
    assert (names(table, "web"), names(table, "other")) == ([], [])


async def test_an_object_that_is_made_while_a_list_is_taken_stays() -> None:
    table = Table()
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web", "gone"))
    fresh = functools.partial(table.apply, Kind.ENDPOINT_SLICE, slice_of("web", "fresh", version="11"))
    await level(table, Lists("10", slice_of("web", "s-1"), fresh, slice_of("web", "s-2")), Kind.ENDPOINT_SLICE)
    assert table.get(Key(Kind.ENDPOINT_SLICE, "shop", "fresh")) is not None
    assert table.get(Key(Kind.ENDPOINT_SLICE, "shop", "gone")) is None
    assert table.count(Kind.ENDPOINT_SLICE) == 3


async def test_a_list_that_breaks_off_removes_nothing() -> None:
    table = Table()
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web"))
    with pytest.raises(Unavailable):
        await level(table, Lists("10", slice_of("web", "web-2"), break_off), Kind.ENDPOINT_SLICE)
    assert names(table, "web") == ["web-1", "web-2"]


async def test_what_the_table_has_in_this_version_need_not_be_given_again_and_stays() -> None:
    table, asked = Table(), dict[str, bool]()
    for name in ("same", "older", "missing"):
        table.apply(Kind.ENDPOINT_SLICE, slice_of("web", name))

    class Sparing(Lists):
        async def list(self, kind: Kind, take: Take, knows: Knows) -> str:
            asked.update({name: knows("shop", name, version) for name, version in (("same", "5"), ("older", "6"))})
            asked["new"] = knows("shop", "new", "5")
            return await super().list(kind, take, knows)

    await level(table, Sparing("10", slice_of("web", "older", "6"), slice_of("web", "new")), Kind.ENDPOINT_SLICE)
    assert asked == {"same": True, "older": False, "new": False}
    assert names(table, "web") == ["same", "older", "new"]


async def test_a_look_at_one_namespace_finds_what_is_new_and_gone_there_and_leaves_the_others_alone() -> None:
    table, api = Table(), MemoryApi(FakeClock(), MemoryStore(FakeClock()))
    for namespace in ("shop", "bank"):
        table.apply(Kind.POD, {"metadata": {"namespace": namespace, "name": "old", "resourceVersion": "5", "uid": "1"}})
    api.store.add(Kind.POD, {"metadata": {"namespace": "shop", "name": "new"}})
    api.store.add(Kind.POD, {"metadata": {"namespace": "bank", "name": "new"}})
    await level_now(table, api, Kind.POD, "shop")
    assert {(item.meta.key.namespace, item.meta.key.name) for item in table.select(Kind.POD)} == {
        ("shop", "new"),
        ("bank", "old"),
    }
