"""How long completed runs are kept. A run that goes on is never named here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ultra_recovery.apis.meta import IDEMPOTENCY_ANNOTATION
from ultra_recovery.apis.policy_status import MAX_RECENT_RUNS, RecentRun
from ultra_recovery.apis.recovery_policy import Budget, History
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.budget import HOUR, RunRecord
from ultra_recovery.core.objects import Run

MOST_PER_NAMESPACE = 1000
"""Completed runs that a namespace keeps at most."""
_SAME_REQUEST = timedelta(hours=24)
"""For so long a request of the same identity finds the run that it led to."""
_SETTLED_AFTER = timedelta(minutes=1)
"""Until then the run may still be looked at by whoever waited for its end, the operator included."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Needs:
    """What keeps a run although the history is full."""

    recent: Sequence[RecentRun]
    budget: Budget
    cooldown: timedelta
    open_incident: int | None
    reports: timedelta
    now: datetime

    def keep(self, run: Run) -> bool:
        record = RunRecord.of_run(run)
        return (
            _ended_at(run) > self.now - _SETTLED_AFTER
            or not self._remembered(record)
            or self._in_budget(record)
            or self._in_cooldown(record)
            or (record.incident != 0 and record.incident == self.open_incident)
            or (record.cause == Cause.REPORTED and record.created_at > self.now - self.reports)
            or (self._requested(run) and record.created_at > self.now - _SAME_REQUEST)
        )

    def _remembered(self, record: RunRecord) -> bool:
        """Whether the policy knows how the run ended, or has known it and forgotten it as too old."""
        if any(item.uid == record.uid and item.finished_at is not None for item in self.recent):
            return True
        full = len(self.recent) >= MAX_RECENT_RUNS
        return full and record.created_at < min(item.created_at for item in self.recent)

    def _in_budget(self, record: RunRecord) -> bool:
        # Those of the workload, namespace and cluster look back for an hour.
        per = max(self.budget.per, HOUR)
        return record.charged_at is not None and record.charged_at > self.now - per

    def _in_cooldown(self, record: RunRecord) -> bool:
        if record.phase != RunPhase.SUCCEEDED or record.finished_at is None:
            return False
        return record.finished_at > self.now - self.cooldown

    @staticmethod
    def _requested(run: Run) -> bool:
        # A run that was joined by such a request carries its key.
        return IDEMPOTENCY_ANNOTATION in run.meta.annotations or (run.spec is not None and bool(run.spec.request_id))


def expired_runs(
    runs: Iterable[Run],
    recent: Sequence[RecentRun],
    history: History,
    budget: Budget,
    cooldown: timedelta,
    open_incident: int | None,
    now: datetime,
    reports: timedelta = timedelta(0),
) -> list[Run]:
    """The runs of one policy that are to be deleted, the oldest first.

    Args:
        runs: the runs of the policy that exist.
        recent: what the policy remembers of its runs; a run whose end is not in there is kept.
        history: spec.history of the policy.
        budget: spec.limits.budget of the policy.
        cooldown: spec.limits.cooldown of the policy.
        open_incident: number of the incident that is not closed, whose runs are kept; None when there is none.
        now: the present.
        reports: the longest `within` of the policy's errorReported triggers: so long reports are counted.
    """
    needs = _Needs(recent, budget, cooldown, open_incident, reports, now)
    completed = _completed(runs)
    kept = {id(run) for group, most in _classes(completed, history) for run in _newest(group, most)}
    over = [run for run in completed if id(run) not in kept or _outlived(run, history.ttl, now)]
    return [run for run in over if not needs.keep(run)]


def expired_orphans(runs: Iterable[Run], ttl: timedelta, now: datetime) -> list[Run]:
    """The runs without a policy that are to be deleted, the oldest first: those that ended longer than `ttl` ago."""
    return [run for run in _completed(runs) if _outlived(run, ttl, now)]


def beyond_cap(runs: Iterable[Run], most: int = MOST_PER_NAMESPACE) -> list[Run]:
    """The completed runs of one namespace that are too many, the oldest first, whoever needs them."""
    completed = _completed(runs)
    return completed[: max(len(completed) - most, 0)]


def _completed(runs: Iterable[Run]) -> list[Run]:
    """Completed runs that are not being deleted already, by age, the oldest first."""
    found = [run for run in runs if run.completed and not run.meta.deleting]
    return sorted(found, key=lambda run: (_ended_at(run), run.meta.key.name))


def _classes(completed: Sequence[Run], history: History) -> list[tuple[list[Run], int]]:
    """The runs by outcome, each with how many of it are kept."""
    succeeded = [run for run in completed if run.status.phase is RunPhase.SUCCEEDED]
    cancelled = [run for run in completed if run.status.phase is RunPhase.CANCELLED]
    rest = (RunPhase.FAILED, RunPhase.ERROR, RunPhase.INCONCLUSIVE)
    failed = [run for run in completed if run.status.phase in rest]
    return [(succeeded, history.succeeded), (failed, history.failed), (cancelled, history.cancelled)]


def _newest(runs: list[Run], most: int) -> list[Run]:
    return runs[max(len(runs) - most, 0) :]


def _outlived(run: Run, ttl: timedelta, now: datetime) -> bool:
    return _ended_at(run) + ttl <= now


def _ended_at(run: Run) -> datetime:
    return run.status.finished_at or run.status.started_at or run.meta.created_at or _LONG_AGO
