"""The stream of changes: ids, replay, heartbeats, and what happens to slow or forbidden callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.rest.world import World, entry
from ultra_recovery.core.objects import Kind
from ultra_recovery.rest.events import REMEMBERED, RESYNC, Hub
from ultra_recovery.rest.problems import Problem

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Stream:
    """One caller of the hub, in namespaces that are given."""

    def __init__(self, hub: Hub, last_id: str | None = None, namespaces: frozenset[str] = frozenset({"shop"})) -> None:
        self.namespaces: frozenset[str] | None = namespaces
        self.parts: AsyncIterator[bytes] = hub.stream(last_id, namespaces.__contains__, self._renew)

    async def _renew(self) -> Any:
        return self.namespaces.__contains__ if self.namespaces is not None else None

    async def next(self) -> bytes:
        return await anext(self.parts)


def change(world: World, name: str = "web-1-1", phase: str = "Succeeded", namespace: str = "shop") -> str:
    key = next(key for key in world.store.documents if (key.namespace, key.name) == (namespace, name))
    return world.store.change(key, lambda item: item["status"].update({"phase": phase}))["metadata"]["resourceVersion"]


async def opened(world: World, *args: Any) -> Stream:
    stream = Stream(world.services.hub, *args)
    assert b"retry:" in await stream.next()
    return stream


async def test_a_change_is_told_at_once_with_its_resource_version_as_id(world: World):
    world.run()
    await world.sync()
    stream = await opened(world)
    version = change(world)
    began = world.clock.boottime()
    event = await stream.next()
    assert event.startswith(f"id: {version}\nevent: run\ndata: {{".encode())
    assert b'"phase":"Succeeded"' in event
    assert world.clock.boottime() - began < 1


async def test_a_heartbeat_comes_within_fifteen_seconds(world: World):
    await world.sync()
    stream = await opened(world)
    began = world.clock.boottime()
    assert await stream.next() == b": heartbeat\n\n"
    assert world.clock.boottime() - began <= 15


async def test_what_came_after_the_last_event_is_sent_again(world: World):
    world.run()
    await world.sync()
    first, second = change(world, phase="Failed"), change(world, phase="Error")
    await world.clock.sleep(1)
    stream = await opened(world, first)
    assert (await stream.next()).startswith(f"id: {second}\n".encode())
    third = change(world, phase="Succeeded")
    assert (await stream.next()).startswith(f"id: {third}\n".encode())


@pytest.mark.parametrize("unknown", ["1", "no-number", "999999999"])
async def test_after_an_event_that_nobody_remembers_everything_must_be_read_again(world: World, unknown: str):
    world.run()
    await world.sync()
    stream = await opened(world, unknown)
    assert await stream.next() == RESYNC


async def test_what_is_remembered_is_bounded(world: World):
    world.run()
    await world.sync()
    first = change(world, phase="Failed")
    for number in range(REMEMBERED):
        change(world, phase=["Error", "Failed"][number % 2])
    await world.clock.sleep(1)
    stream = await opened(world, first)
    assert await stream.next() == RESYNC


async def test_other_namespaces_are_not_shown_and_neither_is_anything_to_whoever_lost_the_right(world: World):
    world.run()
    world.run("secret", namespace="bank")
    await world.sync()
    stream = await opened(world)
    change(world, "secret", namespace="bank")
    version = change(world)
    assert (await stream.next()).startswith(f"id: {version}\n".encode())
    stream.namespaces = None
    with pytest.raises(StopAsyncIteration):
        await stream.next()
    assert world.services.hub.streams == 0


async def test_a_caller_that_cannot_keep_up_is_told_to_read_again(world: World):
    world.run()
    await world.sync()
    stream = await opened(world)
    for number in range(600):
        change(world, phase=["Error", "Failed"][number % 2])
    await world.clock.sleep(1)
    assert await stream.next() == RESYNC
    assert (await stream.next()).startswith(b"id: ")


async def test_a_deletion_is_told_without_an_id(world: World):
    key = world.run()
    await world.sync()
    stream = await opened(world)
    world.store.remove(key)
    event = await stream.next()
    assert event == b'event: run-deleted\ndata: {"namespace":"shop","name":"web-1-1"}\n\n'


async def test_the_hundred_and_first_stream_is_refused(world: World):
    streams = [await opened(world) for _ in range(100)]
    with pytest.raises(Problem) as caught:
        world.services.hub.check_room()
    await streams[0].parts.aclose()  # type: ignore[attr-defined]
    world.services.hub.check_room()
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "30")


async def test_the_route_streams_and_ends_when_the_token_is_withdrawn(world: World):
    world.run()
    await world.sync()
    sent: list[Any] = []

    async def receive() -> Any:
        if not sent:
            return {"type": "http.request", "body": b"", "more_body": False}
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async with world.caller() as client:
        headers = [(b"authorization", client.headers["authorization"].encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/recovery/events",
        "headers": headers,
        "query_string": b"",
        "client": None,
    }
    serving = asyncio.ensure_future(world.application(scope, receive, send))
    await world.clock.sleep(1)
    world.write_tokens([entry("nobody")])
    async with asyncio.timeout(60):
        await serving
    assert dict(sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")
    assert world.services.hub.streams == 0


async def test_the_first_list_is_no_news(world: World):
    world.add(Kind.BREAKER, "x", "shop", spec={})
    stream = await opened(world)
    await world.sync()
    assert await stream.next() == b": heartbeat\n\n"
