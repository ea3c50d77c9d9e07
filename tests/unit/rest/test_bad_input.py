"""Whatever comes in: a 4xx with the field named, and nothing written."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.unit.rest.world import World, token

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

RESET = "/api/recovery/circuit-breaker/reset"
TRIGGER = "/api/recovery/trigger"
GOOD = {"error_type": "CUSTOM_ERROR", "service_name": "custom-service"}


def nested(depth: int) -> bytes:
    return b'{"service_name":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"null", 422, id="null"),
        pytest.param(b"[]", 422, id="a list"),
        pytest.param(b'"openai"', 422, id="a string"),
        pytest.param(b"service_name=openai", 400, id="a form"),
        pytest.param(b"{", 400, id="cut off"),
        pytest.param(b'{"service_name": "openai"} x', 400, id="something behind"),
        pytest.param(b'{"service_name": "\xff"}', 400, id="not UTF-8"),
        pytest.param(b'{"service_name": NaN}', 400, id="NaN"),
        pytest.param(b'{"service_name": "a", "service_name": "b"}', 400, id="a key twice"),
        pytest.param(b'{"service_name": "\\ud800"}', 422, id="half a character"),
        pytest.param(b'{"service_name": "op\\u0000enai"}', 422, id="NUL"),
        pytest.param(b'{"service_name": 7}', 422, id="a number"),
        pytest.param(b'{"service_name": ["openai"]}', 422, id="a list of names"),
        pytest.param(b'{"service_name": "openai", "extra": 1}', 422, id="an unknown field"),
        pytest.param(b'{"Service_Name": "openai"}', 422, id="another case"),
        pytest.param(b'{"service_name": "../openai"}', 422, id="a path"),
        pytest.param(b'{"service_name": "shop/openai/x"}', 422, id="too many parts"),
        pytest.param(b'{"service_name": "%s"}' % (b"a" * 400), 422, id="a long name"),
        pytest.param(nested(25), 400, id="25 levels"),
        pytest.param(nested(30_000), 400, id="30000 levels"),
        pytest.param(b'{"service_name": "%s"}' % (b"a" * 70_000), 413, id="70000 bytes"),
    ],
)
async def test_a_body_that_is_not_right_is_refused_and_nothing_is_written(world: World, body: bytes, code: int):
    world.breaker()
    async with world.caller() as client:
        answer = await client.post(RESET, content=body)
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"].endswith(answer.headers["x-request-id"])
    assert world.writes() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"error_type": None}, "error_type", id="no type"),
        pytest.param({"error_type": "1x"}, "error_type", id="a type that begins with a digit"),
        pytest.param({"context": []}, "context", id="context is a list"),
        pytest.param({"context": {"a": 1}}, "context", id="context holds a number"),
        pytest.param({"context": {"a": {"b": "c"}}}, "context", id="context is deep"),
        pytest.param({"context": {"1": "a"}}, "context", id="a key begins with a digit"),
        pytest.param({"context": {f"k{i}": "v" for i in range(17)}}, "context", id="17 entries"),
        pytest.param({"context": {"a": "x" * 257}}, "context", id="a long value"),
        pytest.param({"dry_run": "yes"}, "dry_run", id="dry_run is a word"),
        pytest.param({"force": 1}, "force", id="force is a number"),
        pytest.param({"reason": "a\nb"}, "reason", id="a reason with a line break"),
    ],
)
async def test_the_wrong_field_is_named(world: World, change: dict[str, Any], field: str):
    world.policy()
    async with world.caller() as client:
        answer = await client.post(TRIGGER, json={**GOOD, **change})
    assert answer.status_code == 422
    assert any(field in error["field"] for error in answer.json()["errors"])
    assert field in answer.json()["detail"]
    assert not world.runs()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param([(b"x-long", b"a" * 9000)], 431, id="a header of 9000 bytes"),
        pytest.param([(b"x-%d" % i, b"a") for i in range(80)], 431, id="80 headers"),
        pytest.param([(b"x-%d" % i, b"a" * 4000) for i in range(6)], 431, id="24000 bytes of headers"),
        pytest.param([(b"idempotency-key", b"a"), (b"idempotency-key", b"b")], 400, id="two keys"),
        pytest.param([(b"idempotency-key", b"")], 422, id="an empty key"),
        pytest.param([(b"idempotency-key", "schlüssel".encode())], 422, id="a key that is not ASCII"),
        pytest.param([(b"idempotency-key", b"a" * 256)], 422, id="a long key"),
    ],
)
async def test_headers_that_are_not_right_are_refused(world: World, headers: list[tuple[bytes, bytes]], code: int):
    world.breaker()
    async with world.caller() as client:
        answer = await client.post(RESET, content=b'{"service_name": "openai"}', headers=headers)
    assert answer.status_code == code, answer.text
    assert world.writes() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/api/recovery/runs/shop/..%2f..%2fx",
        "/api/recovery/runs/shop/a%00b",
        "/api/recovery/runs/SHOP/x",
        "/api/recovery/runs/shop/x/",
        "//api/recovery/status",
        "/api/recovery/status/",
        "/api/recovery/%73tatus/x",
        "/api/recovery/runs/shop/%ff",
        "/docs",
        "/etc/passwd",
        "/api/recovery/runs?limit=0",
        "/api/recovery/runs?limit=x",
        "/api/recovery/runs?continue=%00",
        "/api/recovery/runs?phase=Nope",
    ],
)
async def test_tricks_with_paths_find_nothing(world: World, path: str):
    async with world.caller() as client:
        answer = await client.get(path)
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_another_method_is_refused_with_the_ones_there_are(world: World):
    async with world.caller() as client:
        answer = await client.delete(RESET)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_body_that_never_ends_is_refused_in_time(world: World):
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await world.clock.sleep(1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token('all')}".encode())]
    scope = {"type": "http", "method": "POST", "path": RESET, "headers": headers, "query_string": b"", "client": None}
    began = asyncio.get_running_loop().time()
    await world.application(scope, receive, send)
    assert sent[0]["status"] == 408
    assert asyncio.get_running_loop().time() - began <= 10
    assert json.loads(sent[1]["body"])["type"].endswith("request-too-slow")


async def test_what_was_sent_is_never_repeated(world: World):
    async with world.caller() as client:
        answer = await client.post(RESET, json={"service_name": "CANARY-VALUE"})
    assert "CANARY" not in answer.text
