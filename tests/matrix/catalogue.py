"""All kinds of runs that go through the matrix."""

from __future__ import annotations

from tests.matrix.ladders import LADDERS
from tests.matrix.scenarios import SCENARIOS

RUN_KINDS = (*SCENARIOS, *LADDERS)
