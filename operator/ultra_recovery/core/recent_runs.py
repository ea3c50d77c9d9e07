"""What a policy remembers of its runs, so that deleting runs changes neither budgets nor pauses nor attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ultra_recovery.apis.policy_status import MAX_RECENT_RUNS, RecentRun
from ultra_recovery.core.budget import LONGEST_WINDOW, RunRecord
from ultra_recovery.core.objects import Run


def recent_runs(
    old: Sequence[RecentRun], runs: Sequence[Run], now: datetime, open_incident: int | None = None
) -> list[RecentRun]:
    """What to remember, oldest first, at most 64.

    A run that exists wins over what was remembered of it. One that does not exist any more is over from now on; if it
    had started, it counts as having had an effect. When there are too many, the oldest go first, in this order: those
    that neither a budget, a pause nor the open incident needs; those without an effect; those that are over; the rest.

    Args:
        old: what was remembered.
        runs: the runs of the policy that exist.
        now: the present.
        open_incident: number of the incident that is not closed; None when there is none.
    """
    remembered = {recent.uid: recent for recent in old}
    known = {recent.uid: RunRecord.of_recent("", "", recent).vanished(now) for recent in old}
    known.update((run.meta.uid, RunRecord.of_run(run)) for run in runs)
    records = sorted(known.values(), key=lambda record: record.order)
    excess = len(records) - MAX_RECENT_RUNS
    if excess > 0:
        dropped = sorted(records, key=lambda record: _worth(record, now, open_incident))[:excess]
        gone = {record.uid for record in dropped}
        records = [record for record in records if record.uid not in gone]
    return [_recent(record, remembered.get(record.uid)) for record in records]


def _recent(record: RunRecord, before: RecentRun | None) -> RecentRun:
    """The record as it is remembered. One that is over does not change any more: not built anew."""
    if before is not None and record.completed and before.finished_at == record.finished_at:
        return before
    return record.to_recent()


def _worth(record: RunRecord, now: datetime, open_incident: int | None) -> int:
    """How much a record is needed. Sorting is stable: of the same worth, the oldest goes first."""
    if not record.completed:
        return 3
    ended = record.finished_at or record.created_at
    of_incident = record.incident != 0 and record.incident == open_incident
    if ended <= now - LONGEST_WINDOW and not of_incident:
        return 0
    return 2 if record.effective and not record.dry_run else 1
