"""Budgets: how many runs with an effect may start within a time, on four levels.

What counts: runs with an effect that started within the time, and runs that are not over, for they may still have one.
Dry runs never count. A run that has vanished before its end counts as if it had had an effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ultra_recovery.apis.meta import POLICY_LABEL, format_duration
from ultra_recovery.apis.policy_status import RecentRun
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Budget
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.apis.run_status import EffectOutcome, RunPhase
from ultra_recovery.core.objects import Run
from ultra_recovery.core.refusal import Refusal

HOUR = timedelta(hours=1)
LONGEST_WINDOW = timedelta(hours=24)
"""No budget looks back further."""
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_NOTIFY = "Notify"


class BudgetLevel(StrEnum):
    """For whom runs are counted, from the smallest to the largest."""

    POLICY = "policy"
    WORKLOAD = "workload"
    NAMESPACE = "namespace"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """How many runs each level may start.

    Attributes:
        policy: spec.limits.budget of the policy.
        workload_per_hour: runs per hour on one workload, of whatever policy.
        namespace_per_hour: runs per hour in one namespace.
        cluster_per_hour: runs per hour in all namespaces.
    """

    policy: Budget
    workload_per_hour: int = 6
    namespace_per_hour: int = 30
    cluster_per_hour: int = 120

    def of(self, level: BudgetLevel) -> tuple[int, timedelta]:
        """How many runs within which time."""
        return {
            BudgetLevel.POLICY: (self.policy.runs, self.policy.per),
            BudgetLevel.WORKLOAD: (self.workload_per_hour, HOUR),
            BudgetLevel.NAMESPACE: (self.namespace_per_hour, HOUR),
            BudgetLevel.CLUSTER: (self.cluster_per_hour, HOUR),
        }[level]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What budgets, pauses and attempts need to know of a run, whether it still exists or not.

    Attributes:
        incident: 0 when it belonged to none.
        target_uid: UID of the workload, empty while it is not known.
        effective: it had an effect, or may have had one.
        finished_at: None as long as it goes on.
    """

    namespace: str
    policy: str
    name: str
    uid: str
    cause: str
    created_at: datetime
    incident: int = 0
    target_uid: str = ""
    phase: str = RunPhase.PENDING
    reason: str = ""
    effective: bool = False
    dry_run: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @classmethod
    def of_run(cls, run: Run) -> RunRecord:
        """What a run says of itself."""
        spec, status = run.spec, run.status
        created = run.meta.created_at or status.started_at or _UNKNOWN_TIME
        finished = status.finished_at or status.started_at or created
        return cls(
            namespace=run.meta.key.namespace,
            policy=spec.policy_name if spec else run.meta.labels.get(POLICY_LABEL, ""),
            name=run.meta.key.name,
            uid=run.meta.uid,
            cause=spec.cause if spec else Cause.MANUAL,
            created_at=created,
            incident=(spec.incident or 0) if spec else 0,
            target_uid=status.target.uid if status.target else "",
            phase=status.phase or RunPhase.PENDING,
            reason=status.reason or "",
            effective=run.had_effect or _may_have_had_effect(run),
            dry_run=spec.dry_run if spec else False,
            started_at=status.started_at,
            finished_at=finished if run.completed else None,
        )

    @classmethod
    def of_recent(cls, namespace: str, policy: str, recent: RecentRun) -> RunRecord:
        """What the policy remembers of a run."""
        return cls(
            namespace=namespace,
            policy=policy,
            name=recent.name,
            uid=recent.uid,
            cause=recent.cause,
            created_at=recent.created_at,
            incident=recent.incident,
            target_uid=recent.target_uid,
            phase=recent.phase,
            reason=recent.reason,
            effective=recent.effective,
            dry_run=recent.dry_run,
            started_at=recent.started_at,
            finished_at=recent.finished_at,
        )

    def to_recent(self) -> RecentRun:
        """The record as a policy's status keeps it."""
        return RecentRun(
            name=self.name,
            uid=self.uid,
            cause=self.cause,
            incident=self.incident,
            phase=self.phase,
            reason=self.reason,
            target_uid=self.target_uid,
            effective=self.effective,
            dry_run=self.dry_run,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
        )

    @property
    def completed(self) -> bool:
        """Whether nothing more will happen in this run, or it is gone."""
        return self.finished_at is not None

    @property
    def charged_at(self) -> datetime | None:
        """From when on the run counts, if it counts by time; None for one that counts while it goes on, or never."""
        if self.dry_run or not self.completed or not self.effective:
            return None
        return self.started_at or self.created_at

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Sorts records by age, the oldest first."""
        return self.created_at, self.name, self.uid

    def vanished(self, at: datetime | None = None) -> RunRecord:
        """The record of a run that no longer exists: one that had started and was not over may have had an effect.

        Args:
            at: when it was seen to be gone; unknown: it counts from its start.
        """
        if self.completed:
            return self
        finished = at or self.started_at or self.created_at
        return replace(self, finished_at=finished, effective=self.effective or self._had_started)

    @property
    def _had_started(self) -> bool:
        return self.started_at is not None or self.phase == RunPhase.RUNNING

    def goes_before(self, other: RunRecord) -> bool:
        """Whether this run keeps its place in a budget when `other`, which waits to start, asks for one.

        The operator's own runs were given their place before they were created. Of the rest, the older one goes first:
        two that wait for the last place do not block each other.
        """
        return self.completed or self._had_started or self.cause == Cause.TRIGGER or self.order < other.order


def _may_have_had_effect(run: Run) -> bool:
    """Whether an effect has no known outcome: then it counts."""
    return any(
        effect.outcome in (None, EffectOutcome.UNKNOWN) and effect.kind != _NOTIFY
        for step in run.status.steps
        for effect in step.effects
    )


def counts(record: RunRecord, per: timedelta, now: datetime) -> bool:
    """Whether a run takes a place in a budget that looks back for `per`."""
    charged = record.charged_at
    return charged > now - per if charged is not None else not record.dry_run and not record.completed


def merge_records(runs: Iterable[RunRecord], recents: Iterable[RunRecord]) -> list[RunRecord]:
    """All that is known of the runs of a policy, oldest first.

    A run that exists wins over what the policy remembers of it; one that does not exist any more is over.
    """
    known = {record.uid: record.vanished() for record in recents}
    known.update((record.uid, record) for record in runs)
    return sorted(known.values(), key=lambda record: record.order)


def budget_refusal(
    records: Mapping[BudgetLevel, Sequence[RunRecord]], limits: BudgetLimits, now: datetime
) -> Refusal | None:
    """Whether a budget is used up; the first level that is, from the policy to the cluster.

    Args:
        records: the runs of each level; those that do not count now are left out here. A level may be missing.
        limits: what each level may spend.
        now: the present.
    """
    for level in BudgetLevel:
        most, per = limits.of(level)
        known = records.get(level, ())
        if len(known) < most:
            continue
        taken = [record for record in known if counts(record, per, now)]
        if len(taken) >= most:
            return _refuse(level, taken, most, per, now)
    return None


def _refuse(level: BudgetLevel, taken: list[RunRecord], most: int, per: timedelta, now: datetime) -> Refusal:
    charged = sorted(record.charged_at + per for record in taken if record.charged_at is not None)
    too_many = len(taken) - most
    free_at = charged[too_many] if too_many < len(charged) else None
    going_on = len(taken) - len(charged)
    used = f"{len(taken)} of {most} runs within {format_duration(per)}"
    active = f", {going_on} of them not over" if going_on else ""
    when = f"the next is possible {_moment(free_at, now)}" if free_at else "one of them has to end first"
    return Refusal(Reason.BUDGET, f"the budget of the {level} is used up: {used}{active}; {when}", free_at)


def _moment(moment: datetime, now: datetime) -> str:
    same_day = moment.astimezone(UTC).date() == now.astimezone(UTC).date()
    return f"at {moment.astimezone(UTC):{'%H:%M:%S' if same_day else '%Y-%m-%d %H:%M:%S'}} UTC"
