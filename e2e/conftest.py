"""The operator once, and for every test a namespace of its own with the examples in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from e2e.install import apply_examples, install_operator, make_namespace
from e2e.kube import Kube, condition, wait_for


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, visibly, what needs the processes of a control plane of our own where that is not ours."""
    if os.environ.get("ULTRA_PROVIDER") == "local":
        return
    away = [item for item in items if item.get_closest_marker("local_cluster")]
    if away:
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if item not in away]


@pytest.fixture(scope="session")
def operator() -> Kube:
    """The operator, two pods of it, installed by helm as a user would."""
    return install_operator()


@pytest.fixture
def empty(operator: Kube) -> Iterator[Kube]:
    """A namespace without anything in it."""
    del operator
    kube = make_namespace(f"e2e-{uuid.uuid4().hex[:8]}")
    yield kube
    kube.run("delete", "namespace", kube.namespace, "--wait=false", "--ignore-not-found")


@pytest.fixture
def kube(empty: Kube) -> Kube:
    """A namespace with the examples, all of them ready and probed."""
    apply_examples(empty)
    wait_for(
        lambda: (
            condition(empty.get("rp", "web"), "Ready").get("status") == "True"
            and all(condition(item, "TargetHealthy").get("status") == "True" for item in empty.list("cb"))
        ),
        "the examples are enforced and healthy",
    )
    return empty
