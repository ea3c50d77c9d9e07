"""What callers report of an external target, read as a level: the same entries always say the same. Pure.

An entry counts while it belongs to the present epoch and is not silent. What was said before a transition or a reset
says nothing about now; and an entry that falls silent leaves, which makes nothing better and nothing worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ultra_recovery.apis.breaker_reports import ReporterStatus, ReportOutcome
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome, ProbeResult

SILENT_AFTER = timedelta(seconds=60)
"""An entry that was not written for this long does not count. As far ahead of our clock it does not count either."""

_OUTCOMES = {
    ReportOutcome.SUCCESS: (Outcome.SUCCESS, Reason.REPORT_SUCCEEDED),
    ReportOutcome.FAILURE: (Outcome.FAILURE, Reason.REPORT_FAILED),
    ReportOutcome.NEUTRAL: (Outcome.NEUTRAL, Reason.REPORT_NEUTRAL),
}


@dataclass(frozen=True, slots=True)
class Reports:
    """The entries that count at one moment."""

    entries: tuple[ReporterStatus, ...] = ()

    def failing(self, threshold: int) -> list[ReporterStatus]:
        """The reporters with so many failures in a row, the newest first."""
        found = [entry for entry in self.entries if entry.consecutive_failures >= threshold]
        return sorted(found, key=lambda entry: entry.reported_at, reverse=True)

    @property
    def failures(self) -> int:
        """The longest row of failures that any reporter has seen."""
        return max((entry.consecutive_failures for entry in self.entries), default=0)

    @property
    def successes(self) -> int:
        """The successes in a row of all reporters together."""
        return sum(entry.consecutive_successes for entry in self.entries)

    @property
    def confirmed(self) -> bool:
        """Whether anybody's last call was a success."""
        return any(entry.last_outcome is ReportOutcome.SUCCESS for entry in self.entries)

    @property
    def decisive(self) -> bool:
        """Whether anybody has said anything for or against the target."""
        return any(entry.consecutive_failures or entry.consecutive_successes for entry in self.entries)

    @property
    def silent_at(self) -> datetime | None:
        """When the first of these entries stops to count, unless it is written again."""
        return min((entry.reported_at + SILENT_AFTER for entry in self.entries), default=None)

    @property
    def latest(self) -> ProbeResult | None:
        """The newest report as an observation of the target; of two at the same moment the failure."""
        if not self.entries:
            return None
        newest = max(self.entries, key=lambda it: (it.reported_at, it.last_outcome is ReportOutcome.FAILURE))
        outcome, reason = _OUTCOMES[newest.last_outcome]
        return ProbeResult(outcome, reason, told_by(newest), newest.reported_at, newest.reported_at)

    def after(self, moment: datetime) -> Reports:
        """Those that were written since."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.reported_at >= moment))


def read_reports(reporters: Sequence[ReporterStatus], epoch: int, now: datetime) -> Reports:
    """The entries that count now: of this epoch, and not silent."""
    counted = [entry for entry in reporters if entry.epoch == epoch and abs(now - entry.reported_at) < SILENT_AFTER]
    return Reports(tuple(counted))


def is_fresh(result: ProbeResult, now: datetime) -> bool:
    """Whether a report is not older than entries may be."""
    return now - result.finished_at < SILENT_AFTER


def told_by(entry: ReporterStatus) -> str:
    """What a reporter says, in one line: its words come from outside."""
    words = "".join(letter if letter.isprintable() else " " for letter in entry.message or "")
    words = " ".join(words.split()) or entry.last_outcome.lower()
    return f"{entry.name}: {words}"
