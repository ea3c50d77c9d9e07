"""Long lists are read object by object, and mean the same as if they were read as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ultra_recovery.adapters.kubernetes.lists import read_list


def item(number: int) -> dict[str, Any]:
    meta = {
        "name": f"a-{number}",
        "managedFields": [{"manager": "somebody"}],
        "annotations": {"x": '"items":[{]}, \\" é'},
    }
    return {"metadata": meta, "spec": {"items": [1, {"items": []}]}}


@pytest.mark.parametrize("count", [0, 1, 2, 250])
@pytest.mark.parametrize("order", ["built-in", "custom"])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["as-the-server", "by-somebody-between"])
async def test_items_and_fields_of_a_list_are_read(count: int, order: str, separators: tuple[str, str]) -> None:
    items, meta = [item(number) for number in range(count)], {"resourceVersion": "7", "continue": "eyJ"}
    page = {"kind": "PodList", "metadata": meta, "items": items}
    shown = page if order == "built-in" else dict(sorted(page.items()))
    found, read = await read_list((json.dumps(shown, separators=separators) + "\n").encode())
    assert found["metadata"] == meta
    for one in items:
        del one["metadata"]["managedFields"]
    assert read == items


async def test_a_list_without_items_is_empty() -> None:
    assert (await read_list(b'{"metadata":{"resourceVersion":"9"},"items":null}'))[1] == []


@pytest.mark.parametrize(
    "text", ["", "[]", "<html>", '{"items":[', '{"items":[{"metadata":{}}', '{"metadata":{},"items":[{"metadata":{}}]']
)
async def test_what_was_cut_off_or_is_no_list_is_an_error_that_is_tried_again(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await read_list(text.encode())
