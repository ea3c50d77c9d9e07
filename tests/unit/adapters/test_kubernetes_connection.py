"""What the connection sends, and how it takes answers, on a server of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.contract.world import run
from tests.listing import listed
from tests.unit.adapters.pretended import serving
from ultra_recovery.adapters.kubernetes import connection as module
from ultra_recovery.adapters.kubernetes.cluster import KubernetesCluster
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.credentials import Kubeconfig, ServiceAccount, account_configuration, load
from ultra_recovery.adapters.kubernetes.leases import KubernetesLeases, lease_document, parse_lease
from ultra_recovery.adapters.kubernetes.objects import KubernetesObjects
from ultra_recovery.adapters.kubernetes.paths import path, path_of
from ultra_recovery.core.errors import ApiError, Conflict, Forbidden, Unavailable
from ultra_recovery.core.objects import Key, Kind


class Server:
    """Answers with what a test wants and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[web.Request], web.StreamResponse] = lambda _: web.json_response({})
        self.hold = asyncio.Event()
        self.hold.set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path, dict(request.query), await request.text()))
        self.headers.append(dict(request.headers))
        await self.hold.wait()
        return self.answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with serving(server.handle) as server.url:
        yield server
        server.hold.set()


def kubeconfig(folder: Path, url: str, token: str = "one") -> str:
    contexts = {"here": url, "there": "http://127.0.0.1:1"}
    document = {
        "current-context": "here",
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in contexts.items()],
        "users": [{"name": "me", "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in contexts],
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(document))
    return str(file)


@pytest.fixture
async def connection(server: Server, tmp_path: Path) -> AsyncIterator[Connection]:
    async with await Connection.open(kubeconfig(tmp_path, server.url)) as connection:
        yield connection


async def test_requests_carry_the_token_and_our_name(server: Server, connection: Connection):
    await connection.request("GET", "/version")
    assert server.headers[0]["Authorization"] == "Bearer one"
    assert server.headers[0]["User-Agent"].startswith("ultra-recovery")


async def test_a_proxy_of_the_environment_never_sees_our_token(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    await connection.request("GET", "/version")
    assert len(server.asked) == 1


async def test_the_server_is_known_by_its_addresses(connection: Connection):
    assert list(connection.server_addresses()) == ["127.0.0.1"]


async def test_a_server_named_by_a_name_is_known_by_its_addresses_too(server: Server, tmp_path: Path):
    url = server.url.replace("127.0.0.1", "localhost")
    async with await Connection.open(kubeconfig(tmp_path, url)) as connection:
        assert "127.0.0.1" in connection.server_addresses()


async def test_another_context_can_be_asked_for(server: Server, tmp_path: Path):
    async with await Connection.open(kubeconfig(tmp_path, server.url), "there") as connection:
        with pytest.raises(Unavailable, match="no connection"):
            await connection.request("GET", "/version")
    assert server.asked == []


async def test_a_kubeconfig_that_does_not_exist_is_an_error_with_its_reason(tmp_path: Path):
    with pytest.raises(ApiError, match="kubeconfig"):
        await Connection.open(str(tmp_path / "none"))


@pytest.mark.parametrize("body", ["<html>", "[]", ""])
async def test_an_answer_that_is_no_object_is_no_answer(server: Server, connection: Connection, body: str):
    server.answer = lambda _: web.Response(text=body)
    with pytest.raises(Unavailable):
        await connection.request("GET", "/version")


@pytest.mark.parametrize(("method", "prompt"), [("PATCH", False), ("GET", True)])
@pytest.mark.failure(
    of="API server",
    what="A request is never answered",
    see="it is given up, and looked at before it is repeated",
    bound="4 s for an effect",
)
async def test_a_server_that_is_silent_is_waited_for_only_so_long(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch, method: str, prompt: bool
):
    monkeypatch.setattr(module, "_PROMPT", module.aiohttp.ClientTimeout(total=0.05))
    server.hold.clear()
    with pytest.raises(Unavailable, match="in time"):
        await connection.request(method, "/version", body={}, prompt=prompt)


def test_effects_are_given_less_time_than_a_lease_lasts():
    assert (module._PROMPT.total, module._READ.total) == (4, 15)


async def test_a_token_that_is_refused_is_loaded_again(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ultra_recovery.adapters.kubernetes.credentials._RELOAD_AFTER", 0.0)
    async with await Connection.open(kubeconfig(tmp_path, server.url)) as connection:
        kubeconfig(tmp_path, server.url, "two")
        server.answer = lambda _: web.json_response({"kind": "Status"}, status=401)
        with pytest.raises(Forbidden):
            await connection.request("GET", "/version")
        server.answer = lambda _: web.json_response({})
        await connection.request("GET", "/version")
    assert [item["Authorization"] for item in server.headers] == ["Bearer one", "Bearer two"]


@pytest.mark.looptime
async def test_the_token_of_a_pod_is_read_again_within_a_minute(tmp_path: Path):
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "ca.crt").write_text("")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    configuration, credentials = await load(None, environment=environment, directory=tmp_path)
    assert isinstance(credentials, ServiceAccount)
    assert configuration.host == "https://[fd00::1]:443"
    (tmp_path / "token").write_text("two")
    await asyncio.sleep(59)  # noqa: TID251 - virtual time
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer one"
    await asyncio.sleep(1)  # noqa: TID251 - virtual time
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer two"
    (tmp_path / "token").unlink()
    credentials.refused()
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer two"


async def test_outside_of_a_pod_a_kubeconfig_is_used(tmp_path: Path):
    assert account_configuration({}, tmp_path) is None
    _, credentials = await load(kubeconfig(tmp_path, "http://127.0.0.1:1"), environment={}, directory=tmp_path)
    assert isinstance(credentials, Kubeconfig)


async def test_lists_come_from_the_cache_and_follow_pages(server: Server, connection: Connection):
    def answer(request: web.Request) -> web.Response:
        first = "continue" not in request.query
        meta = {"resourceVersion": "7", **({"continue": "more"} if first else {})}
        return web.json_response({"metadata": meta, "items": [{"metadata": {"name": "a" if first else "b"}}]})

    server.answer = answer
    version, found = await listed(KubernetesObjects(connection), Kind.POD)
    assert (version, [item["metadata"]["name"] for item in found]) == ("7", ["a", "b"])
    assert {item["kind"] for item in found} == {"Pod"}
    assert server.asked[0][2] == {"limit": "500", "resourceVersion": "0"}
    assert server.asked[1][2] == {"limit": "500", "continue": "more"}


async def test_the_version_of_several_lists_is_the_lowest_as_a_number(server: Server, connection: Connection):
    versions = {"/api/v1/namespaces/a/pods": "10", "/api/v1/namespaces/b/pods": "9"}
    server.answer = lambda request: web.json_response({"metadata": {"resourceVersion": versions[request.path]}})
    assert await listed(KubernetesObjects(connection, ["a", "b"]), Kind.POD) == ("9", [])


async def test_a_status_is_sent_as_its_difference_under_its_version(server: Server, connection: Connection):
    key = Key(Kind.RUN, "shop", "orders-1-1")
    await KubernetesObjects(connection).write_status(key, {"a": 1}, {"a": 1, "b": 2}, "5")
    method, where, query, body = server.asked[0]
    assert (method, where) == (
        "PATCH",
        "/apis/recovery.ultra.dev/v1alpha1/namespaces/shop/recoveryruns/orders-1-1/status",
    )
    assert query == {"fieldManager": "ultra-recovery"}
    assert json.loads(body) == {"metadata": {"resourceVersion": "5"}, "status": {"b": None}}
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"


async def test_a_status_without_difference_still_asks_for_its_version(server: Server, connection: Connection):
    await KubernetesObjects(connection).write_status(Key(Kind.RUN, "shop", "a"), {}, {}, "5")
    assert json.loads(server.asked[0][3]) == {"metadata": {"resourceVersion": "5"}}


async def test_a_run_is_created_in_its_namespace(server: Server, connection: Connection):
    await KubernetesObjects(connection).create_run("shop", run())
    assert server.asked[0][:2] == ("POST", "/apis/recovery.ultra.dev/v1alpha1/namespaces/shop/recoveryruns")


async def test_a_lease_that_is_not_there_is_none(server: Server, connection: Connection):
    server.answer = lambda _: web.json_response({"kind": "Status"}, status=404)
    assert await KubernetesLeases(connection).read("shop", "leader") is None


def test_a_lease_of_somebody_else_may_lack_everything():
    lease = parse_lease({"metadata": {"name": "a", "namespace": "b", "resourceVersion": "1"}})
    assert (lease.holder, lease.duration, lease.transitions, lease.renewed_at) == ("", 0, 0, None)
    assert "renewTime" not in lease_document(lease)["spec"]


def test_a_name_never_leaves_its_segment_of_a_path():
    assert path_of(Kind.POD, "a/../b", "c?d", "eviction") == "/api/v1/namespaces/a%2F..%2Fb/pods/c%3Fd/eviction"
    assert path("apps/v1", "deployments") == "/apis/apps/v1/deployments"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param("the UID in the precondition (a) does not match that in record (b)", Conflict, id="another-pod"),
        pytest.param("the object has been modified; please apply your changes", Unavailable, id="a-write-between"),
    ],
)
async def test_a_conflict_of_an_eviction_means_another_pod_only_if_it_says_so(
    server: Server, connection: Connection, message: str, error: type[ApiError]
):
    document = {"kind": "Status", "code": 409, "reason": "Conflict", "message": message}
    server.answer = lambda _: web.json_response(document, status=409)
    with pytest.raises(error):
        await KubernetesCluster(connection).evict(Key(Kind.POD, "shop", "web-0"), "a")
