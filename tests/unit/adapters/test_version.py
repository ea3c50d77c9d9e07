"""Whether the cluster serves our kinds, as new as we need them: on a server that answers as an API server would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.version import missing_crds
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.apis.schema import SCHEMA_REVISION, revision_of, root_schema
from ultra_recovery.core.errors import ApiError

GROUP, VERSION = "recovery.ultra.dev", "v1alpha1"
DISCOVERY = f"/apis/{GROUP}/{VERSION}"
OPENAPI = f"/openapi/v3{DISCOVERY}"
ALL = [name for kind in KINDS for name in (kind.plural, f"{kind.plural}/status")]


def resources(*names: str) -> dict[str, Any]:
    return {"resources": [{"name": name} for name in names]}


def published(**revisions: int | None) -> dict[str, Any]:
    """What the API server publishes when some kinds have another revision; None: none at all."""
    schemas: dict[str, Any] = {"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object"}}
    for kind in KINDS:
        revision = revisions.get(kind.kind, SCHEMA_REVISION)
        text = kind.description if revision is None else f"{kind.description} Schema revision {revision}."
        names = [{"group": GROUP, "kind": kind.kind, "version": VERSION}]
        schemas[f"dev.ultra.recovery.{VERSION}.{kind.kind}"] = {
            "description": text,
            "x-kubernetes-group-version-kind": names,
        }
        many = f"{kind.kind}List"
        schemas[f"dev.ultra.recovery.{VERSION}.{many}"] = {
            "description": f"{many} is a list of {kind.kind}",
            "x-kubernetes-group-version-kind": [{"group": GROUP, "kind": many, "version": VERSION}],
        }
    return {"openapi": "3.0.0", "components": {"schemas": schemas}}


@pytest.fixture
def answers() -> dict[str, Any]:
    """Path → what is answered; a path that is not in it is not found."""
    return {DISCOVERY: resources(*ALL), OPENAPI: published()}


@pytest.fixture
async def connection(answers: dict[str, Any], tmp_path: Path) -> AsyncIterator[Connection]:
    async def handle(request: web.Request) -> web.Response:
        found = answers.get(request.path)
        return web.json_response(found or {"kind": "Status", "code": 404}, status=200 if found else 404)

    app = web.Application()
    app.router.add_get("/{rest:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    file = tmp_path / "kubeconfig"
    document = {
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "users": [{"name": "me", "user": {"token": "one"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }
    file.write_text(json.dumps(document))
    async with await Connection.open(str(file)) as connection:
        yield connection
    await runner.cleanup()


async def test_a_cluster_with_the_kinds_of_this_version_lacks_nothing(connection: Connection):
    assert await missing_crds(connection) == []


async def test_a_cluster_without_our_kinds_is_told_what_to_do(connection: Connection, answers: dict[str, Any]):
    answers.clear()
    missing = await missing_crds(connection)
    assert len(missing) == 3
    assert all("kubectl apply" in sentence for sentence in missing)


async def test_a_kind_without_its_status_is_told(connection: Connection, answers: dict[str, Any]):
    answers[DISCOVERY] = resources(*(name for name in ALL if name != "recoverypolicies/status"))
    (sentence,) = await missing_crds(connection)
    assert "RecoveryPolicy" in sentence
    assert "status subresource" in sentence


@pytest.mark.parametrize(
    ("revision", "number"),
    [
        pytest.param(SCHEMA_REVISION - 1, SCHEMA_REVISION - 1, id="the-one-before"),
        pytest.param(None, 0, id="from-before-there-were-any"),
    ],
)
async def test_a_crd_that_is_older_is_told_by_its_name_with_the_command(
    connection: Connection, answers: dict[str, Any], revision: int | None, number: int
):
    answers[OPENAPI] = published(RecoveryRun=revision)
    (sentence,) = await missing_crds(connection)
    assert "recoveryruns.recovery.ultra.dev" in sentence
    assert f"of revision {number} " in sentence
    assert f"needs {SCHEMA_REVISION};" in sentence
    assert sentence.endswith("Run: kubectl apply --server-side --force-conflicts -f crds/")


async def test_crds_that_are_newer_are_fine(connection: Connection, answers: dict[str, Any]):
    answers[OPENAPI] = published(**{kind.kind: SCHEMA_REVISION + 5 for kind in KINDS})
    assert await missing_crds(connection) == []


async def test_a_schema_that_is_not_published_yet_is_missing(connection: Connection, answers: dict[str, Any]):
    del answers[OPENAPI]
    assert len(await missing_crds(connection)) == 3


async def test_an_api_server_that_does_not_answer_is_an_error_and_no_verdict(connection: Connection):
    connection.api_client.configuration.host = "http://127.0.0.1:1"
    with pytest.raises(ApiError):
        await missing_crds(connection)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_schema_says_its_revision(kind):
    assert revision_of(root_schema(kind)["description"]) == SCHEMA_REVISION


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("A thing. Schema revision 12.", 12),
        ("A thing.", 0),
        ("", 0),
        ("Schema revision 3. And more.", 0),
        ("Schema revision x.", 0),
    ],
)
def test_a_revision_is_read_from_the_end_of_a_description_only(text: str, revision: int):
    assert revision_of(text) == revision
