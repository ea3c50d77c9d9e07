"""What was measured of one prober, and the table of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Lateness:
    """How much later than the interval a target was asked again, in milliseconds, over all targets."""

    median: float
    p99: float
    most: float

    @classmethod
    def of(cls, arrivals: Mapping[str, Sequence[float]], interval: float) -> Lateness:
        """From the times at which each target was asked, in seconds. A gap that is shorter counts by its size, too."""
        gaps = sorted(abs(b - a - interval) * 1000 for times in arrivals.values() for a, b in pairwise(times))
        if not gaps:
            return cls(float("nan"), float("nan"), float("nan"))
        return cls(gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)], gaps[-1])


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the table.

    Attributes:
        name: who probed.
        targets: how many.
        cpu: CPU seconds in a minute of steady state.
        probes: probes in that minute.
        lateness: see Lateness.
        memory: resident MiB at its end.
        ready: seconds from the start of the process until every target had been probed once.
        writes: writes to the API server in that minute; None for those that have none.
    """

    name: str
    targets: int
    cpu: float
    probes: int
    lateness: Lateness
    memory: float
    ready: float
    writes: int | None = None

    @property
    def microseconds(self) -> float:
        """CPU microseconds of one probe."""
        return self.cpu / self.probes * 1e6 if self.probes else float("nan")


HEAD = (
    "| who probes | targets | CPU s per minute | µs per probe | ÷ bare loop | late p50 / p99 / max ms | MiB "
    "| all probed after s | API writes |"
)


def table(rows: Sequence[Figures], floor: Mapping[int, Figures]) -> str:
    """The rows as a Markdown table; `floor` is the bare loop by number of targets."""
    lines = [HEAD, "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        least = floor.get(row.targets)
        ratio = f"{row.cpu / least.cpu:.2f}" if least is not None and least.cpu else "–"
        late = f"{row.lateness.median:.1f} / {row.lateness.p99:.1f} / {row.lateness.most:.0f}"
        writes = "–" if row.writes is None else str(row.writes)
        lines.append(
            f"| {row.name} | {row.targets:,} | {row.cpu:.2f} | {row.microseconds:.0f} | {ratio} | {late} "
            f"| {row.memory:.0f} | {row.ready:.1f} | {writes} |"
        )
    return "\n".join(lines)
