"""Events get from a thread into a loop, each once, in order, without holding up either."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from ultra_recovery.core.objects import Kind
from ultra_recovery.handlers.handover import Handover


def event(number: int) -> dict[str, Any]:
    return {"metadata": {"name": f"a-{number}", "managedFields": [{"manager": "somebody"}]}, "spec": {}}


def put_all(handover: Handover, count: int) -> None:
    for number in range(count):
        handover.put(Kind.BREAKER, event(number), False)


async def test_every_event_arrives_once_in_order_and_without_who_wrote_it():
    seen, done = list[Mapping[str, Any]](), asyncio.Event()

    def feed(kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
        seen.append(document)
        if len(seen) == 5000:
            done.set()

    handover = Handover(asyncio.get_running_loop(), feed)
    await asyncio.to_thread(put_all, handover, 5000)
    await done.wait()
    assert [document["metadata"] for document in seen] == [{"name": f"a-{number}"} for number in range(5000)]


async def test_others_have_their_turn_while_many_events_are_taken():
    loop, seen, turns, done = asyncio.get_running_loop(), list[str](), list[int](), asyncio.Event()
    handover = Handover(loop, lambda kind, document, deleted: seen.append(document["metadata"]["name"]))

    def another() -> None:
        turns.append(len(seen))
        if len(seen) < 400:
            loop.call_soon(another)
        else:
            done.set()

    put_all(handover, 400)
    another()
    await done.wait()
    assert max(b - a for a, b in pairwise(turns)) <= 32


async def test_an_event_that_cannot_be_taken_stops_no_other(caplog: pytest.LogCaptureFixture):
    seen, done = list[str](), asyncio.Event()

    def feed(kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
        name = document["metadata"]["name"]
        if name == "a-1":
            raise KeyError("resourceVersion")
        seen.append(name)
        if name == "a-2":
            done.set()

    # As the operator's loop does: an error of a callback is logged.
    handover = Handover(asyncio.get_running_loop(), feed)
    put_all(handover, 3)
    await done.wait()
    assert seen == ["a-0", "a-2"]
    assert "resourceVersion" in caplog.text
