"""The table: a list is taken in steps, and the slices of a Service are found without a search."""

from __future__ import annotations

from typing import Any

from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.engine.table import Table


def slice_of(service: str, name: str = "web-1", version: str = "5") -> dict[str, Any]:
    meta = {"namespace": "shop", "name": name, "resourceVersion": version, "uid": name}
    return {"metadata": {**meta, "labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4"}


def names(table: Table, service: str) -> list[str]:
    return [item.meta.key.name for item in table.slices("shop", service)]


def test_the_slices_of_a_service_follow_every_change() -> None:
    table = Table()
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web"))
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web", "web-2"))
    assert names(table, "web") == ["web-1", "web-2"]
    table.apply(Kind.ENDPOINT_SLICE, slice_of("other", version="6"))
    assert (names(table, "web"), names(table, "other")) == (["web-2"], ["web-1"])
    table.apply(Kind.ENDPOINT_SLICE, slice_of("other", version="7"), deleted=True)
    table.replace(Kind.ENDPOINT_SLICE, "9", [])
    assert (names(table, "web"), names(table, "other")) == ([], [])


def test_an_object_that_is_made_while_a_list_is_taken_stays() -> None:
    table = Table()
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web", "gone"))
    steps = table.replacing(Kind.ENDPOINT_SLICE, "10", [slice_of("web", f"s-{number}") for number in range(150)])
    next(steps)
    table.apply(Kind.ENDPOINT_SLICE, slice_of("web", "fresh", version="11"))
    assert list(steps) == []
    assert table.get(Key(Kind.ENDPOINT_SLICE, "shop", "fresh")) is not None
    assert table.get(Key(Kind.ENDPOINT_SLICE, "shop", "gone")) is None
    assert table.count(Kind.ENDPOINT_SLICE) == 151
