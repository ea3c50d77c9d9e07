"""The TCP prober against real servers on this machine."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.contract.http_stage import SHORT, Stage
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome


async def test_an_accepted_connection_is_a_success_and_is_closed_without_a_byte(stage: Stage):
    got: list[bytes] = []
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        got.append(await reader.read())
        closed.set()

    stage.publish(await stage.serve_raw(serve))
    result = await stage.connect()
    assert (result.outcome, result.reason) == (Outcome.SUCCESS, Reason.PROBE_SUCCEEDED)
    await asyncio.wait_for(closed.wait(), 5)
    assert got == [b""]


async def test_a_refused_connection_is_a_failure(stage: Stage):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        stage.publish(free.getsockname()[1])
        result = await stage.connect()
    assert (result.outcome, result.message) == (Outcome.FAILURE, "connection refused or not reachable")


async def test_a_connection_that_does_not_come_about_is_a_failure_at_the_deadline(stage: Stage):
    """The queue of a server that never accepts is full: the kernel leaves further ones without an answer."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        stage.publish(server.getsockname()[1])
        result = await stage.connect(SHORT)
    assert (result.outcome, result.message) == (Outcome.FAILURE, "no connection within 0.3 s")


async def test_no_ready_pod_is_a_failure_an_unknown_pod_an_error_and_a_missing_service_the_users_mistake(stage: Stage):
    with pytest.raises(SpecError, match="does not exist"):
        await stage.connect()
    stage.publish(1, addresses=())
    assert "no ready endpoint" in (await stage.connect()).message
    stage.scene.slice([stage.scene.endpoint("127.0.0.1", "new")])
    assert (await stage.connect()).outcome is Outcome.ERROR


async def test_an_address_by_name_is_resolved_once_and_every_answer_is_checked(stage: Stage):
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    port = await stage.serve_raw(serve)
    stage.names["db.example.com"] = [["127.0.0.1"], ["127.0.0.1", "169.254.169.254"]]
    assert (await stage.connect(address=f"db.example.com:{port}")).outcome is Outcome.SUCCESS
    assert stage.asked == ["db.example.com"]
    with pytest.raises(SpecError, match="never probed"):
        await stage.connect(address=f"db.example.com:{port}")


async def test_a_name_that_cannot_be_resolved_now_is_a_failure(stage: Stage):
    async def fail(host: str, port: int) -> list[str]:
        raise socket.gaierror(host)

    stage.names["db.example.com"] = []
    stage.look_up = fail
    result = await stage.connect(address="db.example.com:5432")
    assert (result.outcome, result.message) == (Outcome.FAILURE, "the name cannot be resolved now")


async def test_probes_in_turn_reach_all_ready_pods(stage: Stage):
    reached: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(writer.get_extra_info("sockname")[0])
        await reader.read()

    addresses = ("127.0.0.1", "127.0.0.2")
    port = await stage.serve_raw(serve, host="0.0.0.0")
    stage.publish(port, addresses=addresses)
    for _ in range(4):
        await stage.connect()
    async with asyncio.timeout(5):
        while len(reached) < 4:
            await stage.settle()
    assert sorted(reached) == sorted([*addresses, *addresses])
