"""An operator sees whether the CRDs of a real API server are new enough, without any right of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from e2e.releases import crds_of_before
from tests.integration.conftest import CRDS, kubectl
from ultra_recovery.adapters.clock import SystemClock
from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.version import missing_crds
from ultra_recovery.apis.kinds import KINDS

APPLY = ("apply", "--server-side", "--force-conflicts", "-f")
_TRIES, _PAUSE = 60, 0.5


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig for a ServiceAccount that nobody gave any right."""
    namespace = f"version-{uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    kubectl("-n", namespace, "create", "serviceaccount", "nobody")
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    token = kubectl("-n", namespace, "create", "token", "nobody").strip()
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    yield path
    kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
async def connection(account: Path) -> AsyncIterator[Connection]:
    async with await Connection.open(str(account)) as connection:
        yield connection


@pytest.fixture
def crds_as_before() -> Iterator[None]:
    """The CRDs of the previous release, until the test is over."""
    text = "---\n".join(crds_of_before().values())
    subprocess.run(["kubectl", *APPLY, "-"], input=text, capture_output=True, text=True, timeout=60, check=True)
    yield
    kubectl(*APPLY, CRDS)


async def settled(connection: Connection, count: int) -> list[str]:
    """What is missing, once that is as much as is waited for: schemas are published a moment late."""
    clock, found = SystemClock(), []
    for _ in range(_TRIES):
        found = await missing_crds(connection)
        if len(found) == count:
            return found
        await clock.sleep(_PAUSE)
    raise AssertionError(f"{count} sentences are awaited, and at last there are: {found}")


async def test_the_present_crds_are_new_enough(connection: Connection):
    assert await settled(connection, 0) == []


async def test_crds_of_the_release_before_are_too_old_until_they_are_upgraded(
    connection: Connection, crds_as_before: None
):
    found = await settled(connection, len(KINDS))
    assert all("is too old" in sentence for sentence in found)
    kubectl(*APPLY, CRDS)
    assert await settled(connection, 0) == []
