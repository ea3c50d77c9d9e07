"""The crash matrix in its short form: every run kind, a kill at every request, each fault of the wire and the watches.

`make drill` runs the full form; `python -m tests.matrix --one` shows a single experiment with its whole record.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.__main__ import PARALLEL, run_matrix, say
from tests.matrix.campaign import SHORT, succeeded, table
from tests.matrix.catalogue import RUN_KINDS


@pytest.mark.timeout(900)
@pytest.mark.failure(
    of="Operator",
    what="It is killed right before or after any request that changes something",
    see="the run ends as it would have without the kill: every effect at most once, budgets kept, no Lease left",
    bound="every request of every run kind",
)
@pytest.mark.failure(
    of="API server",
    what="A watch falls silent, breaks off, tells twice or answers 410",
    see="a list every 30 s makes the table level with the cluster",
    bound="seen within 30 s",
)
async def test_the_operator_ends_as_if_nothing_had_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad: list[str] = []

    def tell(line: str) -> None:
        if "VIOLATIONS" in line or "BROKEN" in line:
            bad.append(line)
        # A hang shows where it is; one dot would not.
        with capsys.disabled():
            say(line.splitlines()[0][:160])

    rows = await run_matrix(SHORT, RUN_KINDS, PARALLEL, tmp_path, tell)
    with capsys.disabled():
        say(f"\n{table(rows)}")
    assert succeeded(rows), "\n".join(bad)
