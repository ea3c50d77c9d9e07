"""The ledger: who started how many runs lately, kept level with the table, so that a decision need not count."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from ultra_recovery.apis.policy_status import MAX_RECENT_RUNS
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.core.budget import HOUR, LONGEST_WINDOW, BudgetLevel, RunRecord
from ultra_recovery.core.objects import AnyObject, Key, Kind, Policy, Run
from ultra_recovery.ports import Clock

RESERVED_FOR = timedelta(minutes=2)
"""A run whose creation was not answered shows itself within this time, or was never created."""
_SWEEP_EVERY = timedelta(minutes=10)

_Id = tuple[str, str, str]
_Account = tuple[BudgetLevel, str, str]
_Name = TypeVar("_Name", bound=Hashable)
_EVERYBODY: _Account = (BudgetLevel.CLUSTER, "", "")


@dataclass(slots=True)
class _Tally:
    """What one account has spent.

    Attributes:
        going_on: runs that are not over.
        charged: runs with an effect that are over, by the moment from which they count.
    """

    going_on: dict[_Id, RunRecord] = field(default_factory=dict)
    charged: list[tuple[datetime, _Id]] = field(default_factory=list)

    def add(self, key: _Id, record: RunRecord) -> None:
        if record.charged_at is not None:
            insort(self.charged, (record.charged_at, key))
        elif not record.completed and not record.dry_run:
            self.going_on[key] = record

    def remove(self, key: _Id, record: RunRecord) -> None:
        self.going_on.pop(key, None)
        if record.charged_at is not None:
            del self.charged[bisect_left(self.charged, (record.charged_at, key))]

    def since(self, moment: datetime) -> Iterator[_Id]:
        """The runs that were charged after a moment."""
        first = bisect_right(self.charged, moment, key=lambda entry: entry[0])
        return (key for _, key in self.charged[first:])


class Ledger:
    """Counts runs by policy, workload, namespace and cluster. Subscribe `changed` to the table.

    A run that is deleted stays in the ledger, and what policies remember in `status.recentRuns` is in it too, so that
    neither deleting runs nor a new leader gives a budget back. Not thread-safe: used from the engine's loop alone.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[_Id, RunRecord] = {}
        self._existing: dict[tuple[str, str], _Id] = {}
        self._reserved: dict[tuple[str, str], RunRecord] = {}
        self._targets: dict[tuple[str, str], str] = {}
        self._policies: set[tuple[str, str]] = set()
        self._tallies: defaultdict[_Account, _Tally] = defaultdict(_Tally)
        self._of_policy: defaultdict[tuple[str, str], dict[_Id, RunRecord]] = defaultdict(dict)
        self._of_target: defaultdict[str, dict[_Id, RunRecord]] = defaultdict(dict)
        self._sorted: dict[tuple[str, str], tuple[RunRecord, ...]] = {}
        self._swept_at = clock.now()

    # What happens

    def changed(self, key: Key, item: AnyObject | None) -> None:
        """Take a change of the table."""
        if key.kind is Kind.RUN:
            if isinstance(item, Run):
                self._run_is(item)
            else:
                self._run_is_gone(key.namespace, key.name)
        elif key.kind is Kind.POLICY:
            if isinstance(item, Policy):
                self._policy_remembers(item)
            else:
                self._policies.discard((key.namespace, key.name))
        else:
            return
        now = self._clock.now()
        if now - self._swept_at >= _SWEEP_EVERY:
            self.sweep(now)

    def reserve(self, namespace: str, name: str, policy: str, target_uid: str, now: datetime) -> None:
        """Give a run that is about to be created its place, so that nobody else takes it meanwhile.

        Nothing may be awaited between the look at the budget and this. The run takes over its place when the table
        shows it; a place that nobody takes over is free again after two minutes.
        """
        if (namespace, name) in self._existing:
            return
        self.release(namespace, name)
        record = RunRecord(namespace, policy, name, "", Cause.TRIGGER, now, target_uid=target_uid)
        self._reserved[namespace, name] = record
        self._targets[namespace, name] = target_uid
        self._put(record)

    def release(self, namespace: str, name: str) -> None:
        """Give the place back: the run was certainly not created. Without a reservation nothing happens."""
        record = self._reserved.pop((namespace, name), None)
        self._targets.pop((namespace, name), None)
        if record is not None:
            self._drop(_id(record))

    # What is known

    def records_of_policy(self, namespace: str, policy: str) -> Sequence[RunRecord]:
        """All that is known of a policy's runs, reservations included, oldest first."""
        key = (namespace, policy)
        if key not in self._sorted:
            known = self._of_policy.get(key, {}).values()
            self._sorted[key] = tuple(sorted(known, key=lambda record: record.order))
        return self._sorted[key]

    def records_of_target(self, target_uid: str) -> Sequence[RunRecord]:
        """All that is known of the runs on a workload, of whatever policy, oldest first."""
        return sorted(self._of_target.get(target_uid, {}).values(), key=lambda record: record.order)

    def usage(
        self, namespace: str, policy: str, target_uid: str, per: timedelta, now: datetime, waiting: str = ""
    ) -> dict[BudgetLevel, list[RunRecord]]:
        """The runs that take a place now, by level, for `core.budget.budget_refusal`.

        Args:
            namespace: namespace of the policy.
            policy: name of the policy.
            target_uid: UID of its workload, empty when it is not known: then that level is left out.
            per: the time of the policy's own budget; that of the other levels is an hour.
            now: the present.
            waiting: name of a run that exists and waits to start: it takes no place from itself, nor do runs that
                stand behind it.
        """
        self._forget_reservations(now)
        accounts: list[_Account] = [
            (BudgetLevel.POLICY, namespace, policy),
            (BudgetLevel.WORKLOAD, target_uid, ""),
            (BudgetLevel.NAMESPACE, namespace, ""),
            _EVERYBODY,
        ]
        asks = self._records.get(self._existing.get((namespace, waiting), ("", "", "")))
        found = {}
        for account in accounts:
            level = account[0]
            if level is BudgetLevel.WORKLOAD and not target_uid:
                continue
            taken = self._taken(account, now - (per if level is BudgetLevel.POLICY else HOUR))
            found[level] = [record for record in taken if asks is None or (record != asks and record.goes_before(asks))]
        return found

    def sweep(self, now: datetime) -> None:
        """Forget what nobody needs: what ended more than a day ago, except each policy's latest 64 runs."""
        self._swept_at = now
        self._forget_reservations(now)
        for policy in list(self._of_policy):
            records = self.records_of_policy(*policy)
            kept = MAX_RECENT_RUNS if policy in self._policies else 0
            for record in records[: max(len(records) - kept, 0)]:
                if record.finished_at is not None and record.finished_at <= now - LONGEST_WINDOW:
                    self._drop(_id(record))

    # How it is kept

    def _taken(self, account: _Account, since: datetime) -> list[RunRecord]:
        tally = self._tallies.get(account)
        if tally is None:
            return []
        return [*tally.going_on.values(), *(self._records[key] for key in tally.since(since))]

    def _run_is(self, run: Run) -> None:
        record = RunRecord.of_run(run)
        name = (record.namespace, record.name)
        if name in self._existing and self._existing[name] != _id(record):
            self._run_is_gone(*name)
        target = self._targets.get(name, "")
        self.release(*name)
        if target and not record.target_uid and not record.completed:
            record = replace(record, target_uid=target)
            self._targets[name] = target
        self._existing[name] = _id(record)
        self._put(record)

    def _run_is_gone(self, namespace: str, name: str) -> None:
        key = self._existing.pop((namespace, name), None)
        self._targets.pop((namespace, name), None)
        if key is not None and key in self._records:
            self._put(self._records[key].vanished(self._clock.now()))

    def _policy_remembers(self, policy: Policy) -> None:
        namespace, name = policy.meta.key.namespace, policy.meta.key.name
        self._policies.add((namespace, name))
        for recent in policy.status.recent_runs:
            # What the ledger saw itself is newer than what the policy remembers of it.
            if (namespace, recent.name, recent.uid) not in self._records:
                self._put(RunRecord.of_recent(namespace, name, recent).vanished())

    def _forget_reservations(self, now: datetime) -> None:
        stale = [name for name, record in self._reserved.items() if record.created_at + RESERVED_FOR <= now]
        for name in stale:
            self.release(*name)

    def _put(self, record: RunRecord) -> None:
        key = _id(record)
        self._drop(key)
        self._records[key] = record
        for account in _accounts(record):
            self._tallies[account].add(key, record)
        self._of_policy[record.namespace, record.policy][key] = record
        if record.target_uid:
            self._of_target[record.target_uid][key] = record
        self._sorted.pop((record.namespace, record.policy), None)

    def _drop(self, key: _Id) -> None:
        record = self._records.pop(key, None)
        if record is None:
            return
        for account in _accounts(record):
            tally = self._tallies[account]
            tally.remove(key, record)
            if not tally.going_on and not tally.charged:
                del self._tallies[account]
        policy = (record.namespace, record.policy)
        _take_out(self._of_policy, policy, key)
        _take_out(self._of_target, record.target_uid, key)
        self._sorted.pop(policy, None)


def _take_out(group: MutableMapping[_Name, dict[_Id, RunRecord]], name: _Name, key: _Id) -> None:
    members = group.get(name)
    if members is not None:
        members.pop(key, None)
        if not members:
            del group[name]


def _id(record: RunRecord) -> _Id:
    return record.namespace, record.name, record.uid


def _accounts(record: RunRecord) -> list[_Account]:
    accounts: list[_Account] = [
        (BudgetLevel.POLICY, record.namespace, record.policy),
        (BudgetLevel.NAMESPACE, record.namespace, ""),
        _EVERYBODY,
    ]
    if record.target_uid:
        accounts.append((BudgetLevel.WORKLOAD, record.target_uid, ""))
    return accounts
