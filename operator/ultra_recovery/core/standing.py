"""Where breakers and policies stand at one moment: what gauges, and the alerts on them, are read from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.meta import Condition
from ultra_recovery.apis.reasons import ConditionType
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Breaker, Policy, Run, Workload


@dataclass(frozen=True, slots=True)
class BreakerStanding:
    """Where one breaker stands.

    Attributes:
        state: None before its first visit.
        open_since: since when it has not been Closed; None while it is, and while a person overrides it.
        stalled: whether it cannot be enforced.
    """

    namespace: str
    name: str
    state: BreakerState | None
    failures: int
    open_since: datetime | None
    stalled: bool


@dataclass(frozen=True, slots=True)
class PolicyStanding:
    """Where one policy stands.

    Attributes:
        active: how many of its runs are not completed.
        awaiting: how many of these wait for a person's approval.
        run_began_at: when the oldest of its running runs began, moved by the time that it waited for approvals.
        unavailable_since: since when no replica of its target is Ready; None while one is, or none is wanted.
        blocked_since: since when a gate refuses a recovery that is due.
        gate: the reason of that gate, "" while there is none.
        needs_human: whether all attempts of its incident are used up.
        stalled: whether it cannot be enforced.
    """

    namespace: str
    name: str
    active: int
    awaiting: int
    run_began_at: datetime | None
    unavailable_since: datetime | None
    blocked_since: datetime | None
    gate: str
    needs_human: bool
    stalled: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where everything stands; empty where this process does not lead.

    Attributes:
        queue_lags: name of a queue → seconds for which something in it has been due or in work.
    """

    breakers: Sequence[BreakerStanding] = ()
    policies: Sequence[PolicyStanding] = ()
    queue_lags: Mapping[str, float] = field(default_factory=dict)


def not_closed_since(item: Breaker) -> datetime | None:
    """Since when a breaker is in a state that is not Closed, as its status says; None where a person decided that."""
    status = item.status
    if status.state in (None, BreakerState.CLOSED) or status.override is not None:
        return None
    return status.since


def is_unavailable(item: Workload) -> bool:
    """Whether replicas are wanted and none is Ready."""
    return item.replicas > 0 and item.ready == 0


def standing_of_breaker(item: Breaker, open_since: datetime | None) -> BreakerStanding:
    """Where a breaker stands."""
    key, status = item.meta.key, item.status
    stalled = _is_true(status.conditions, ConditionType.STALLED)
    return BreakerStanding(
        key.namespace, key.name, status.state, status.consecutive_failures, open_since, stalled=stalled
    )


def standing_of_policy(item: Policy, runs: Iterable[Run], unavailable_since: datetime | None) -> PolicyStanding:
    """Where a policy stands, with those of its runs that are not completed."""
    key, conditions, last = item.meta.key, item.status.conditions, item.status.last_decision
    active = [run for run in runs if not run.completed]
    began = [moment for run in active if (moment := _began_at(run)) is not None]
    blocked = last is not None and _is_true(conditions, ConditionType.BLOCKED)
    return PolicyStanding(
        namespace=key.namespace,
        name=key.name,
        active=len(active),
        awaiting=sum(run.status.phase is RunPhase.AWAITING_APPROVAL for run in active),
        run_began_at=min(began, default=None),
        unavailable_since=unavailable_since,
        blocked_since=last.time if last is not None and blocked else None,
        gate=last.reason if last is not None and blocked else "",
        needs_human=_is_true(conditions, ConditionType.NEEDS_HUMAN),
        stalled=_is_true(conditions, ConditionType.STALLED),
    )


def _began_at(run: Run) -> datetime | None:
    """A run that waits for a person takes long because of that person: this has a gauge of its own."""
    status = run.status
    if status.phase is not RunPhase.RUNNING or status.started_at is None:
        return None
    return status.started_at + timedelta(seconds=status.approval_seconds)


def _is_true(conditions: Sequence[Condition], kind: ConditionType) -> bool:
    return any(item.type == kind and item.status == "True" for item in conditions)
