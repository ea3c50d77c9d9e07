"""A console whose lines can be read."""

from __future__ import annotations

import io

import pytest

from e2e.cluster.console import Console


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(output: io.StringIO) -> Console:
    return Console(output)
