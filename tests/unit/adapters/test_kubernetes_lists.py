"""Long lists are read object by object, and mean the same as if they were read as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ultra_recovery.adapters.kubernetes.lists import ListReader


def item(number: int) -> dict[str, Any]:
    meta = {
        "name": f"a-{number}",
        "managedFields": [{"manager": "somebody"}],
        "annotations": {"x": '"items":[{]}, \\" é'},
    }
    return {"metadata": meta, "spec": {"items": [1, {"items": []}]}}


def read_list(data: bytes, step: int = 1_000_000) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A list that arrives in pieces of so many bytes."""
    reader = ListReader()
    items = [item for at in range(0, len(data), step) for item in reader.feed(data[at : at + step])]
    page, rest = reader.finish()
    return page, items + rest


@pytest.mark.parametrize("count", [0, 1, 2, 250])
@pytest.mark.parametrize("order", ["built-in", "custom"])
@pytest.mark.parametrize(
    "separators",
    [(",", ":"), (", ", ": "), (", ", ":")],
    ids=["as-the-server", "by-somebody-between", "with-spaces-between-items"],
)
@pytest.mark.parametrize("step", [1, 7, 100_000], ids=["byte-by-byte", "in-small-pieces", "at-once"])
def test_items_and_fields_of_a_list_are_read(count: int, order: str, separators: tuple[str, str], step: int) -> None:
    items, meta = [item(number) for number in range(count)], {"resourceVersion": "7", "continue": "eyJ"}
    page = {"kind": "PodList", "metadata": meta, "items": items}
    shown = page if order == "built-in" else dict(sorted(page.items()))
    text = json.dumps(shown, separators=separators, ensure_ascii=False) + "\n"
    found, read = read_list(text.encode(), step)
    assert found["metadata"] == meta
    for one in items:
        del one["metadata"]["managedFields"]
    assert read == items


def test_an_item_is_given_as_soon_as_its_end_has_arrived() -> None:
    reader = ListReader()
    assert reader.feed(b'{"metadata":{},"items":[{"metadata":{"name":"a"}},{"metadata":') == [
        {"metadata": {"name": "a"}}
    ]
    assert reader.feed(b'{"name":"b"}') == []
    assert reader.feed(b"}]}") == [{"metadata": {"name": "b"}}]
    assert reader.finish() == ({"metadata": {}, "items": []}, [])


def test_a_list_without_items_is_empty() -> None:
    assert (read_list(b'{"metadata":{"resourceVersion":"9"},"items":null}'))[1] == []


@pytest.mark.parametrize(
    "text", ["", "[]", "<html>", '{"items":[', '{"items":[{"metadata":{}}', '{"metadata":{},"items":[{"metadata":{}}]']
)
def test_what_was_cut_off_or_is_no_list_is_an_error_that_is_tried_again(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_list(text.encode())
