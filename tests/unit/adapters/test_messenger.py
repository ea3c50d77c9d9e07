"""Notifications reach their webhooks, or fail after honest tries, and never get in each other's way."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from ultra_recovery.adapters.http.messenger import GIVE_UP_AFTER, LIMIT, REMEMBERED, WITHIN, WebhookMessenger
from ultra_recovery.adapters.memory import FakeClock, FixedRandom, MemoryMessenger, ScriptedCaller
from ultra_recovery.apis.circuit_breaker import ServiceRef
from ultra_recovery.apis.endpoint import HttpEndpoint
from ultra_recovery.core.call import Call, CallOutcome, CallResult, Delivery, Message
from ultra_recovery.ports import Caller

pytestmark = pytest.mark.looptime

BACKOFF = [1, 2, 4, 8, 16, 32, 60, 60, 60]


def message(key: str = "run-1/page", hook: str = "hook", namespace: str = "shop", **data: object) -> Message:
    endpoint = HttpEndpoint(service_ref=ServiceRef(name=hook, port=80))
    return Message(key, namespace, endpoint, "recoverypolicies/orders", data or {"severity": "Warning"})


class Post:
    """A messenger before a scripted caller."""

    def __init__(self, caller: Caller | None = None, jitter: float = 0.0) -> None:
        self.clock = FakeClock()
        self.scripted = ScriptedCaller(self.clock)
        self.dropped = 0
        self.ended: Counter[Delivery] = Counter()
        self.messenger = WebhookMessenger(
            caller or self.scripted, self.clock, FixedRandom([jitter]), self._drop, lambda end: self.ended.update([end])
        )

    def _drop(self) -> None:
        self.dropped += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Post]:
        task = asyncio.create_task(self.messenger.run())
        try:
            yield self
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    def send(self, *messages: Message) -> None:
        assert all(self.messenger.send(item) for item in messages)

    def times(self, hook: str = "hook") -> list[float]:
        return [round(call.time, 1) for call in self.scripted.made(hook)]


@pytest.fixture
def post() -> Post:
    return Post()


async def test_a_message_is_posted_as_a_cloud_event(post: Post):
    async with post.running():
        post.send(message(severity="Critical", at=datetime(2026, 1, 5, tzinfo=UTC)))
        assert post.messenger.delivery("run-1/page") is Delivery.WAITING
        await post.clock.sleep(1)
    (made,) = post.scripted.calls
    assert (made.namespace, made.endpoint, made.call.method, made.call.within) == ("shop", "hook", "POST", WITHIN)
    assert made.call.headers["Content-Type"].startswith("application/cloudevents+json")
    assert json.loads(made.call.body) == {
        "specversion": "1.0",
        "id": "run-1/page",
        "source": "/apis/recovery.ultra.dev/v1alpha1/namespaces/shop",
        "type": "recovery.ultra.dev.notification",
        "subject": "recoverypolicies/orders",
        "time": "2026-01-05T09:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {"severity": "Critical", "at": "2026-01-05 00:00:00+00:00"},
    }
    assert post.messenger.delivery("run-1/page") is Delivery.DELIVERED
    assert post.ended == {Delivery.DELIVERED: 1}


@pytest.mark.parametrize("outcome", [CallOutcome.REFUSED, CallOutcome.UNKNOWN])
async def test_a_message_is_tried_again_with_growing_delays_until_it_arrives(post: Post, outcome: CallOutcome):
    post.scripted.then("hook", [outcome] * 4)
    async with post.running():
        post.send(message())
        await post.clock.sleep(100)
    assert post.times() == [0, 1, 3, 7, 15]
    assert post.messenger.delivery("run-1/page") is Delivery.DELIVERED


async def test_chance_adds_up_to_a_fifth_to_each_delay():
    post = Post(jitter=0.999999)
    post.scripted.then("hook", [CallOutcome.REFUSED] * 2)
    async with post.running():
        post.send(message())
        await post.clock.sleep(100)
    assert post.times() == [0, 1.2, 3.6]


@pytest.mark.failure(
    of="Limits",
    what="The receiver of notifications is down",
    see="tried again with growing delays, then Event `NotificationFailed` and alert "
    "UltraRecoveryNotificationLost; the recovery goes on",
    bound="10 tries within 10 minutes",
)
async def test_after_ten_tries_a_message_has_failed_and_is_not_tried_again(post: Post):
    post.scripted.set("hook", CallOutcome.REFUSED, retry=True)
    async with post.running():
        post.send(message())
        await post.clock.sleep(3600)
    times = post.times()
    assert [after - before for before, after in pairwise(times)] == BACKOFF
    assert post.messenger.delivery("run-1/page") is Delivery.FAILED
    assert post.ended == {Delivery.FAILED: 1}


async def test_no_try_begins_more_than_ten_minutes_after_the_message_was_taken(post: Post):
    post.scripted.set("hook", CallOutcome.UNKNOWN, retry=True, delay=WITHIN)
    async with post.running():
        post.send(*(message(f"key-{number}") for number in range(100)))
        await post.clock.sleep(3600)
    assert max(post.times()) <= GIVE_UP_AFTER
    assert post.ended == {Delivery.FAILED: 100}


async def test_every_message_of_an_endpoint_that_hangs_gets_its_turn(post: Post):
    post.scripted.set("hook", CallOutcome.UNKNOWN, retry=True, delay=WITHIN)
    async with post.running():
        post.send(*(message(f"key-{number}") for number in range(5)))
        await post.clock.sleep(5 * WITHIN - 1)
    assert [json.loads(made.call.body)["id"] for made in post.scripted.calls] == [f"key-{n}" for n in range(5)]


async def test_a_refusal_for_good_is_not_repeated(post: Post):
    post.scripted.set("hook", CallOutcome.REFUSED, retry=False)
    async with post.running():
        post.send(message())
        await post.clock.sleep(100)
    assert post.times() == [0]
    assert post.messenger.delivery("run-1/page") is Delivery.FAILED


async def test_an_endpoint_that_hangs_does_not_delay_others(post: Post):
    post.scripted.set("slow", CallOutcome.UNKNOWN, retry=True, delay=60)
    async with post.running():
        post.send(*(message(f"slow-{number}", "slow") for number in range(50)))
        post.send(*(message(f"fast-{number}", "fast") for number in range(50)))
        await post.clock.sleep(0.1)
    assert post.times("fast") == [0] * 50
    assert post.times("slow") == [0]


async def test_an_endpoint_gets_one_message_at_a_time_and_those_of_other_namespaces_are_others(post: Post):
    post.scripted.set("hook", CallOutcome.DONE, delay=1)
    async with post.running():
        post.send(message("a"), message("b"), message("c", namespace="other"))
        await post.clock.sleep(10)
    assert post.times() == [0, 0, 1]
    assert post.scripted.most_active == 2


async def test_a_message_that_waits_for_its_next_try_lets_others_of_its_endpoint_pass(post: Post):
    post.scripted.then("hook", [CallOutcome.REFUSED])
    async with post.running():
        post.send(message("a"), message("b"))
        await post.clock.sleep(0.5)
        assert post.messenger.delivery("a") is Delivery.WAITING
        assert post.messenger.delivery("b") is Delivery.DELIVERED


async def test_a_key_that_waits_or_was_delivered_is_not_taken_twice(post: Post):
    post.send(message(), message())
    async with post.running():
        await post.clock.sleep(1)
        post.send(message())
        await post.clock.sleep(1)
    assert len(post.scripted.calls) == 1
    assert post.ended == {Delivery.DELIVERED: 1}


async def test_a_key_that_failed_may_be_sent_again(post: Post):
    post.scripted.then("hook", [CallOutcome.REFUSED], retry=False)
    async with post.running():
        post.send(message())
        await post.clock.sleep(1)
        assert post.messenger.delivery("run-1/page") is Delivery.FAILED
        post.send(message())
        await post.clock.sleep(1)
    assert post.messenger.delivery("run-1/page") is Delivery.DELIVERED


async def test_the_queue_is_bounded_and_what_exceeds_it_is_counted(post: Post):
    post.send(*(message(f"key-{number}") for number in range(LIMIT)))
    assert not post.messenger.send(message("one too many"))
    assert post.messenger.send(message("key-0"))
    assert post.messenger.delivery("one too many") is None
    assert post.dropped == 1
    async with post.running():
        await post.clock.sleep(1)
    assert post.messenger.send(message("one too many"))


async def test_a_document_that_is_too_large_is_not_taken(post: Post):
    assert not post.messenger.send(message(text="x" * 70_000))
    assert post.dropped == 1


async def test_only_the_latest_ends_are_remembered(post: Post):
    async with post.running():
        for number in range(REMEMBERED + 1):
            post.send(message(f"key-{number}", f"hook-{number}"))
            if number % 500 == 0:
                await post.clock.sleep(0.1)
        await post.clock.sleep(1)
    assert post.messenger.delivery("key-0") is None
    assert post.messenger.delivery(f"key-{REMEMBERED}") is Delivery.DELIVERED


async def test_a_fault_of_our_own_counts_as_a_try_and_ends_nothing(caplog: pytest.LogCaptureFixture):
    class Broken:
        calls = 0

        async def call(self, namespace: str, call: Call) -> CallResult:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("a bug")
            return CallResult(CallOutcome.DONE, "answered 200")

    post = Post(Broken())
    async with post.running():
        post.send(message())
        await post.clock.sleep(10)
    assert post.messenger.delivery("run-1/page") is Delivery.DELIVERED
    assert "could not be tried" in caplog.text


async def test_a_message_of_before_the_start_is_delivered_after_it(post: Post):
    post.send(message())
    await post.clock.sleep(100)
    assert post.scripted.calls == []
    async with post.running():
        await post.clock.sleep(0.1)
    assert post.messenger.delivery("run-1/page") is Delivery.DELIVERED


def test_the_twin_takes_each_key_once_unless_it_failed():
    twin = MemoryMessenger()
    assert twin.send(message("a"))
    assert twin.send(message("a"))
    twin.settle("a", Delivery.FAILED)
    assert twin.send(message("a"))
    assert [item.key for item in twin.messages] == ["a", "a"]
    twin.full = True
    assert not twin.send(message("b"))
    assert (twin.delivery("a"), twin.delivery("b")) == (Delivery.DELIVERED, None)
