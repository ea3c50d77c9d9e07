"""Long lists are read object by object, and mean the same as if they were read as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ultra_recovery.adapters.kubernetes.lists import ListMemory, ListReader
from ultra_recovery.ports import Knows


def item(number: int) -> dict[str, Any]:
    meta = {
        "name": f"a-{number}",
        "managedFields": [{"manager": "somebody"}],
        "annotations": {"x": '"items":[{]}, \\" é'},
    }
    return {"metadata": meta, "spec": {"items": [1, {"items": []}]}}


def nothing(*_: str) -> bool:
    return False


def everything(*_: str) -> bool:
    return True


def read_list(data: bytes, step: int = 1_000_000) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A list that arrives in pieces of so many bytes."""
    reader = ListReader(ListMemory(), nothing)
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
    reader = ListReader(ListMemory(), nothing)
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


def breaker(number: int, version: int, **meta: Any) -> dict[str, Any]:
    """As the server writes one: fields in order. Its owners begin almost as it does itself."""
    kind = {"apiVersion": "recovery.ultra.dev/v1alpha1", "kind": "CircuitBreaker"}
    names = {"name": f"b-{number}", "namespace": "shop", "ownerReferences": [{**kind, "name": "o", "uid": "u"}] * 2}
    return {**kind, "metadata": {**meta, **names, "resourceVersion": str(version)}, "spec": {}}


def pod(number: int, version: int) -> dict[str, Any]:
    """Items of a built-in kind do not say what they are."""
    return {"metadata": {"name": f"b-{number}", "namespace": "shop", "resourceVersion": str(version)}, "spec": {}}


def names_read(
    memory: ListMemory,
    items: list[dict[str, Any]],
    knows: Knows,
    *,
    step: int = 1_000_000,
    separators: tuple[str, str] = (",", ":"),
) -> list[str]:
    """The names of what a list gives."""
    data = json.dumps({"items": items, "metadata": {}}, separators=separators).encode()
    memory.begin()
    reader = ListReader(memory, knows)
    found = [item for at in range(0, len(data), step) for item in reader.feed(data[at : at + step])]
    rest = reader.finish()[1]
    memory.end()
    return [item["metadata"]["name"] for item in found + rest]


@pytest.mark.parametrize("make", [breaker, pod])
def test_what_has_not_changed_since_the_last_list_is_not_read_again(make: Any) -> None:
    memory, asked = ListMemory(), list[tuple[str, ...]]()

    def knows(*which: str) -> bool:
        asked.append(which)
        return True

    items = [make(number, 10 + number) for number in range(5)]
    assert names_read(memory, items, knows) == ["b-0", "b-1", "b-2", "b-3", "b-4"]
    assert asked == []
    items[1], items[2:3] = make(1, 99), []
    # What ends the list is always read: nothing follows by which its end is seen.
    assert names_read(memory, items, knows) == ["b-1", "b-4"]
    assert asked == [("shop", "b-0", "10"), ("shop", "b-3", "13")]
    assert names_read(memory, items, knows) == ["b-4"]


@pytest.mark.parametrize("make", [breaker, pod])
@pytest.mark.parametrize("step", [1, 97, 500], ids=["byte-by-byte", "in-small-pieces", "in-pieces"])
def test_in_whatever_pieces_it_comes_an_item_is_read_or_asked_about(make: Any, step: int) -> None:
    memory, known = ListMemory(), list[str]()

    def knows(_: str, name: str, __: str) -> bool:
        known.append(name)
        return True

    items = [make(number, 10 + number) for number in range(20)]
    names_read(memory, items, knows, step=step)
    items[7] = make(7, 99)
    read = names_read(memory, items, knows, step=step)
    assert "b-7" in read
    assert sorted([*read, *known]) == sorted(item["metadata"]["name"] for item in items)


def test_what_is_as_before_and_yet_not_known_is_read() -> None:
    memory, items = ListMemory(), [breaker(number, 7) for number in range(4)]
    names_read(memory, items, nothing)
    assert names_read(memory, items, lambda _, name, __: name != "b-1") == ["b-1", "b-3"]


def test_another_text_of_the_same_version_is_read() -> None:
    memory, items = ListMemory(), [breaker(number, 7) for number in range(3)]
    names_read(memory, items, everything)
    items[0] = breaker(0, 7, annotations={"a": "b"})
    assert names_read(memory, items, everything) == ["b-0", "b-2"]


def test_an_item_that_has_what_looks_like_the_next_one_inside_is_always_read() -> None:
    memory, items = ListMemory(), [pod(number, 7) for number in range(3)]
    items[1]["spec"] = {"copies": [{"metadata": {"name": "x"}}, {"metadata": {"name": "x"}}]}
    for names in (["b-0", "b-1", "b-2"], ["b-1", "b-2"], ["b-1", "b-2"]):
        assert names_read(memory, items, everything) == names


def test_a_list_that_breaks_off_does_not_make_forget() -> None:
    memory, items = ListMemory(), [breaker(number, 7) for number in range(3)]
    names_read(memory, items, everything)
    memory.begin()
    ListReader(memory, everything).feed(b'{"items":[')
    assert names_read(memory, items, everything) == ["b-2"]


def test_a_list_that_is_not_written_as_the_server_does_is_read_as_a_whole() -> None:
    memory, items = ListMemory(), [breaker(number, 7) for number in range(3)]
    for _ in range(2):
        assert names_read(memory, items, everything, separators=(", ", ": ")) == ["b-0", "b-1", "b-2"]
