"""docs/reference/database-recoveries.md: what the last run of e2e/test_database_recovery.py measured.

    python -m e2e.database_table

takes the figures of the last run, keeps them in docs/reference/database-recoveries.json, and makes the page of them.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from e2e.install import PROJECT
from e2e.scenarios import SCENARIOS

MEASURED = PROJECT / ".cluster/database-recoveries.json"
KEPT = PROJECT / "docs/reference/database-recoveries.json"
PAGE = PROJECT / "docs/reference/database-recoveries.md"
HEAD = """# How databases recovered

<!-- Made by `python -m e2e.database_table` from the figures of runs of e2e/test_database_recovery.py; do not edit. -->

Every fault befell two shops at the same moment, one with Ultra Recovery and one without. Each has a real server, an app
with two replicas, and a load of 10 orders a second. The policy is that of
[recovery.yaml](../../examples/databases/recovery.yaml); its probes come every 2 s. Times are seconds after the fault.
*Detected* is when the trigger had held for as long as the policy asks. *Recovered* is the first request after which
none failed any more. The shop without us is judged when the other one had recovered and its run had ended.

In each of them no acknowledged order was lost, none was kept twice, and a session of somebody else on the same server
lived through it, except where the server itself went away. *Not measured*: no run of this scenario has passed yet.
"""


@dataclass(frozen=True)
class Row:
    """What one scenario measured; times in seconds after the fault, None: not at all."""

    name: str
    title: str
    variant: str
    via: str
    steps: Sequence[str]
    detected: float | None
    recovered: float | None
    failed: int
    sent: int
    alone_recovered: float | None
    alone_failed: int
    alone_sent: int


_lock = threading.Lock()


def record(row: Row) -> None:
    """Keep the row of a run among those that the file has already."""
    with _lock:
        MEASURED.parent.mkdir(exist_ok=True)
        rows = _read(MEASURED.read_text()) if MEASURED.exists() else {}
        rows[row.name] = row
        MEASURED.write_text(_text(rows.values()))


def page(text: str) -> str:
    """The page made of the kept figures."""
    document = json.loads(text)
    rows = _read(text)
    lines = [HEAD, f"Measured on {document['at']} on {document['machine']}.\n"]
    lines.append("| Fault | App | What we did | Detected | Recovered | Failed | Without us | Failed without us |")
    lines.append("|---|---|---|---|---|---|---|---|")
    lines.extend(
        _line(rows[name]) if name in rows else f"| {scenario.title} |{' not measured |' * 7}"
        for name, scenario in SCENARIOS.items()
    )
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    way = row.variant if row.via != "pgbouncer" else f"{row.variant}, PgBouncer"
    steps = ", ".join(row.steps) or "nothing: it recovers by itself"
    alone = "still failing" if row.alone_recovered is None else _seconds(row.alone_recovered)
    cells = (
        row.title,
        way,
        steps,
        _seconds(row.detected),
        "not by us: people are told" if row.recovered is None else _seconds(row.recovered),
        f"{row.failed} of {row.sent}",
        alone,
        f"{row.alone_failed} of {row.alone_sent}",
    )
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _read(text: str) -> dict[str, Row]:
    return {row["name"]: Row(**row) for row in json.loads(text)["rows"]}


def _text(rows: Iterable[Row]) -> str:
    machine = f"a cluster of one machine with {os.cpu_count()} processors, which other work shared"
    document = {
        "at": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(document, indent=1) + "\n"


def main() -> None:
    """Keep the figures of the last run and make the page of them."""
    if MEASURED.exists():
        kept = _read(KEPT.read_text()) if KEPT.exists() else {}
        KEPT.write_text(_text((kept | _read(MEASURED.read_text())).values()))
    PAGE.write_text(page(KEPT.read_text()))


if __name__ == "__main__":
    main()
