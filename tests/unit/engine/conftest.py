"""Every status that is written in a test of the engine is read as GitOps tools read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.engine.world import MISREAD


@pytest.fixture(autouse=True)
def kstatus_reads_every_status() -> Iterator[None]:
    """Whether an object is done is seen from its status alone; see tests/kstatus.py."""
    MISREAD.clear()
    yield
    assert MISREAD == []
