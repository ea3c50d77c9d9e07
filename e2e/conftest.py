"""The operator once, and for every test a namespace of its own with the examples in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.audit import refusals
from e2e.install import apply_examples, install_operator, make_namespace
from e2e.kube import Kube

LAST = "test_least_privilege.py"
"""What judges all the others."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what judges the others last, and deselect, visibly, what cannot be said here.

    That is what needs the processes of a control plane of our own where that is not ours, and what says something of
    all end-to-end tests where only some of them run.
    """
    items.sort(key=lambda item: item.path.name == LAST)
    cannot = set() if os.environ.get("ULTRA_PROVIDER") == "local" else {"local_cluster"}
    if not _is_whole(config, items):
        cannot.add("whole_run")
    away = [item for item in items if any(item.get_closest_marker(name) for name in cannot)]
    if away:
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if item not in away]


def _is_whole(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Whether all end-to-end tests were asked for, and none left out by an option."""
    folder = Path(__file__).parent
    chosen = config.option.keyword or config.option.markexpr or any("::" in word for word in config.args)
    return not chosen and {item.path for item in items} >= set(folder.glob("test_*.py"))


@pytest.fixture(scope="session", autouse=True)
def nothing_is_refused() -> Iterator[None]:
    """However few tests run: at their end no request of ours may have been refused for lack of a right."""
    yield
    if "ULTRA_AUDIT_LOG" in os.environ:
        assert refusals() == []


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
    return empty
