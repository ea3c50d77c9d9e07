"""Nothing is sent by a process that may not act, however late it lost its right; against servers of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.adapters.pretended import serving
from tests.unit.adapters.test_kubernetes_connection import Server, kubeconfig
from tests.unit.adapters.test_messenger import Post, message
from ultra_recovery.adapters.kubernetes import connection as module
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.leases import KubernetesLeases
from ultra_recovery.core.call import CallOutcome, CallResult, Delivery
from ultra_recovery.core.errors import NotLeader, Unavailable
from ultra_recovery.ports import LeaseRecord

MUTATIONS = ("POST", "PUT", "PATCH", "DELETE")


class Right:
    """The right to act, which can be lost."""

    def __init__(self) -> None:
        self.held = True
        self.lost_at: int | None = None
        self.asked = 0

    def check(self) -> int:
        self.asked += 1
        if not self.held or self.asked == self.lost_at:
            raise NotLeader("not the leader")
        return 1


@pytest.fixture
def right() -> Right:
    return Right()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with serving(server.handle) as server.url:
        yield server
        server.hold.set()


@pytest.fixture
async def connection(
    server: Server, right: Right, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connection]:
    monkeypatch.setattr(module, "_CONNECTIONS", 1)
    async with await Connection.open(kubeconfig(tmp_path, server.url)) as connection:
        connection.guard(right.check)
        yield connection


@pytest.mark.parametrize("method", MUTATIONS)
async def test_who_may_not_act_changes_nothing(server: Server, connection: Connection, right: Right, method: str):
    right.held = False
    with pytest.raises(NotLeader):
        await connection.request(method, "/apis/x", body={"a": 1})
    assert server.asked == []


async def test_who_may_not_act_may_look_all_the_same(server: Server, connection: Connection, right: Right):
    right.held = False
    await connection.request("GET", "/apis/x")
    assert [asked[0] for asked in server.asked] == ["GET"]
    assert right.asked == 0


@pytest.mark.parametrize("method", MUTATIONS)
async def test_a_right_that_is_lost_while_the_request_waits_for_a_connection_is_lost(
    server: Server, connection: Connection, right: Right, method: str
):
    server.hold.clear()
    first = asyncio.ensure_future(connection.request("GET", "/apis/slow"))
    while not server.asked:  # noqa: ASYNC110 - the server keeps a list, not an event
        await asyncio.sleep(0)  # noqa: TID251 - the server takes its turns in real time
    second = asyncio.ensure_future(connection.request(method, "/apis/x", body={"a": 1}))
    for _ in range(20):
        await asyncio.sleep(0)  # noqa: TID251 - as above
    right.held = False
    server.hold.set()
    await first
    with pytest.raises(NotLeader):
        await second
    assert [asked[0] for asked in server.asked] == ["GET"]


@pytest.mark.parametrize("method", MUTATIONS)
async def test_a_right_that_is_lost_between_the_connection_and_the_first_byte_is_lost(
    server: Server, connection: Connection, right: Right, method: str
):
    right.lost_at = 2
    with pytest.raises(NotLeader):
        await connection.request(method, "/apis/x", body={"a": 1})
    assert server.asked == []


async def test_who_may_act_again_is_not_hindered_by_what_was_refused(
    server: Server, connection: Connection, right: Right
):
    right.held = False
    for _ in range(3):
        with pytest.raises(NotLeader):
            await connection.request("POST", "/apis/x", body={})
    right.held = True
    await connection.request("POST", "/apis/x", body={})
    assert len(server.asked) == 1


async def test_a_request_passes_the_fence_unless_it_says_otherwise(connection: Connection, right: Right):
    await connection.request("POST", "/apis/x", body={})
    asked = right.asked
    assert asked > 0
    await connection.request("POST", "/apis/x", body={}, unfenced=True)
    assert right.asked == asked


@pytest.mark.parametrize(("unfenced", "sent"), [(True, 1), (False, 0)], ids=["the leader's Lease", "another Lease"])
async def test_only_the_leaders_own_lease_is_written_without_the_right_to_act(
    server: Server, connection: Connection, right: Right, unfenced: bool, sent: int
):
    right.held = False
    lease = LeaseRecord("ns", "lease", "me", 15, 1, version="7", uid="u")
    with pytest.raises((NotLeader, Unavailable, KeyError)):
        await KubernetesLeases(connection, unfenced=unfenced).replace(lease)
    assert len(server.asked) == sent


@pytest.mark.looptime
async def test_a_notification_of_who_leads_no_more_is_forgotten_so_that_who_leads_sends_it(right: Right):
    class Fenced:
        async def call(self, *_: object) -> CallResult:
            right.check()
            return CallResult(CallOutcome.DONE, "answered 200")

    right.held = False
    post = Post(Fenced())  # type: ignore[arg-type]
    async with post.running():
        post.send(message("run-1/page"))
        await post.clock.sleep(1)
        assert post.messenger.delivery("run-1/page") is None
        right.held = True
        post.send(message("run-1/page"))
        await post.clock.sleep(1)
        assert post.messenger.delivery("run-1/page") is Delivery.DELIVERED
    assert post.ended == {Delivery.DELIVERED: 1}
