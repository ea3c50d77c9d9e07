"""The crash matrix in its short form: every run kind, a kill at every request, each fault of the wire and the watches.

`make drill` runs the full form; `python -m tests.matrix --one` shows a single experiment with its whole record.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.__main__ import PARALLEL, run_matrix
from tests.matrix.campaign import SHORT, succeeded, table
from tests.matrix.scenarios import SCENARIOS


@pytest.mark.timeout(900)
async def test_the_operator_ends_as_if_nothing_had_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        # A hang shows where it is; one dot would not.
        with capsys.disabled():
            print(line[:160].splitlines()[0], flush=True)

    rows = await run_matrix(SHORT, SCENARIOS, PARALLEL, tmp_path, say)
    with capsys.disabled():
        print(f"\n{table(rows)}", flush=True)
    bad = [line for line in lines if "VIOLATIONS" in line or "BROKEN" in line]
    assert succeeded(rows), "\n".join(bad)
