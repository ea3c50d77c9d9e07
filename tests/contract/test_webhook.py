"""A notification's way from the queue to a real server."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from tests.contract.http_stage import ORDERS, Stage
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.http.messenger import WebhookMessenger
from ultra_recovery.adapters.memory import FixedRandom
from ultra_recovery.apis.action import Webhook
from ultra_recovery.core.call import Delivery, Message


async def test_a_notification_that_is_refused_once_arrives_at_the_second_try(stage: Stage):
    bodies: list[bytes] = []
    ended: asyncio.Queue[Delivery] = asyncio.Queue()

    async def receive(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=503 if len(bodies) == 1 else 202)

    stage.publish(await stage.serve(receive))
    messenger = WebhookMessenger(stage.caller, SystemClock(), FixedRandom(), lambda: None, ended.put_nowait)
    running = asyncio.create_task(messenger.run())
    endpoint = Webhook(service_ref=ORDERS, path="/alerts")
    assert messenger.send(Message("run-1/page", "shop", endpoint, "recoverypolicies/orders", {"severity": "Info"}))
    assert await ended.get() is Delivery.DELIVERED
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [request.path_qs for request in stage.requests] == ["/alerts", "/alerts"]
    assert stage.requests[1].headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert bodies[0] == bodies[1]
    assert json.loads(bodies[1])["data"] == {"severity": "Info"}
