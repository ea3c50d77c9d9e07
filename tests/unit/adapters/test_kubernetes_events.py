"""Events: how many, of what, and what happens when they cannot be written. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ultra_recovery.adapters.kubernetes import events as module
from ultra_recovery.adapters.kubernetes.events import EventSink, shorten
from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import AlreadyExists, NotFound, NotLeader, Unavailable
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Key, Kind

pytestmark = pytest.mark.looptime
_CLOCK = FakeClock()


class Requests:
    """In the place of a connection."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.errors: list[Exception | None] = []

    async def request(self, method: str, path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        self.sent.append((method, path, body))
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return {}


class Scene:
    def __init__(self) -> None:
        self.requests = Requests()
        self.drops = 0
        self.sink = EventSink(self.requests, _CLOCK, self._drop)  # type: ignore[arg-type]

    def _drop(self) -> None:
        self.drops += 1

    def tell(self, message: str = "m", uid: str = "u", reason: Reason = Reason.EVICTED, **fields: Any) -> None:
        key = Key(Kind.RUN, "shop", "orders-1-1")
        self.sink.publish(Notice(Topic.EFFECT, key, uid, reason, message, **fields))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, _, body in self.requests.sent]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    task = asyncio.create_task(scene.sink.run())
    yield scene
    assert not task.done()
    task.cancel()


async def test_an_event_points_to_its_object(scene: Scene):
    scene.tell("pod a: Evicted", warning=True)
    await _CLOCK.sleep(1)
    ((method, path, body),) = scene.requests.sent
    assert (method, path) == ("POST", "/api/v1/namespaces/shop/events")
    assert body["involvedObject"] == {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": "RecoveryRun",
        "namespace": "shop",
        "name": "orders-1-1",
        "uid": "u",
    }
    assert (body["type"], body["reason"], body["message"], body["count"]) == (
        "Warning",
        "Evicted",
        "pod a: Evicted",
        1,
    )
    assert body["source"] == {"component": "ultra-recovery"}


async def test_what_is_no_event_or_has_no_object_is_passed_over(scene: Scene):
    scene.tell(event=False)
    scene.tell(uid="")
    await _CLOCK.sleep(61)
    assert scene.requests.sent == []


async def test_more_of_the_same_are_counted_and_written_when_the_minute_is_over(scene: Scene):
    scene.tell("first")
    await _CLOCK.sleep(1)
    for number in range(5):
        scene.tell(f"later {number}")
        await _CLOCK.sleep(1)
    assert len(scene.requests.sent) == 1
    await _CLOCK.sleep(60)
    assert [item[0] for item in scene.requests.sent] == ["POST", "PATCH"]
    assert scene.requests.sent[1][1].endswith(scene.bodies[0]["metadata"]["name"])
    assert (scene.bodies[1]["count"], scene.bodies[1]["message"]) == (6, "later 4")


async def test_another_reason_or_object_has_its_own_event(scene: Scene):
    scene.tell()
    scene.tell(reason=Reason.VERIFIED)
    scene.tell(uid="v")
    await _CLOCK.sleep(1)
    assert [item[0] for item in scene.requests.sent] == ["POST"] * 3
    assert len({body["metadata"]["name"] for body in scene.bodies}) == 3


async def test_after_a_minute_of_silence_the_next_one_is_written_at_once(scene: Scene):
    scene.tell()
    await _CLOCK.sleep(61)
    scene.tell()
    await _CLOCK.sleep(0.1)
    assert [item[0] for item in scene.requests.sent] == ["POST", "PATCH"]


async def test_an_event_that_the_server_forgot_is_made_anew(scene: Scene):
    scene.requests.errors = [None, NotFound("gone")]
    scene.tell()
    await _CLOCK.sleep(61)
    scene.tell()
    await _CLOCK.sleep(1)
    assert [item[0] for item in scene.requests.sent] == ["POST", "PATCH", "POST"]
    assert scene.drops == 0


async def test_an_event_whose_answer_was_lost_is_updated(scene: Scene):
    scene.requests.errors = [Unavailable("no answer"), AlreadyExists("it exists")]
    scene.tell()
    await _CLOCK.sleep(61)
    assert scene.drops == 1
    scene.tell()
    await _CLOCK.sleep(1)
    assert [item[0] for item in scene.requests.sent] == ["POST", "POST", "PATCH"]
    assert (scene.drops, scene.bodies[-1]["count"]) == (1, 2)


async def test_what_exceeds_the_bound_is_dropped_and_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LIMIT", 3)
    scene = Scene()
    for number in range(5):
        scene.tell(uid=str(number))
    scene.tell(uid="0")
    assert scene.drops == 2
    task = asyncio.create_task(scene.sink.run())
    await _CLOCK.sleep(1)
    task.cancel()
    assert [body["count"] for body in scene.bodies] == [2, 1, 1]


async def test_what_is_remembered_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "REMEMBERED", 2)
    for number in range(5):
        scene.tell(uid=str(number))
        await _CLOCK.sleep(0.1)
    assert len(scene.sink._written) == 2


async def test_what_the_server_has_forgotten_is_not_remembered_either(scene: Scene):
    scene.tell(uid="old")
    await _CLOCK.sleep(1800)
    scene.tell(uid="young")
    await _CLOCK.sleep(1900)
    scene.tell(uid="new")
    await _CLOCK.sleep(1)
    assert [uid for uid, _ in scene.sink._written] == ["young", "new"]


@pytest.mark.parametrize("message", ["x" * 1024, "x" * 1025, "é" * 5000, "→" * 400])
def test_messages_are_at_most_a_kibibyte_and_stay_readable(message: str):
    short = shorten(message)
    assert len(short.encode()) <= 1024
    assert short == message or (short.endswith("…") and message.startswith(short[:-1]))


async def test_what_waits_when_the_process_leads_no_more_is_dropped_and_the_sink_goes_on(scene: Scene):
    scene.requests.errors = [NotLeader("not the leader")]
    scene.tell()
    await _CLOCK.sleep(1)
    assert scene.drops == 1
    scene.tell(uid="another")
    await _CLOCK.sleep(1)
    assert len(scene.bodies) == 2
