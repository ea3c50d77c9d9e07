"""How many connections applications may open, and how far a pool may be raised. Pure.

Sum over policies of pods x (size + maxOverflow), plus what pools of a pooler may open, plus our own few, must stay
within what the server accepts from ordinary users.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from ultra_recovery.core.database_request import Room
from ultra_recovery.core.objects import Policy, Workload

SURGE = 0.25
"""Share of pods that a rollout adds, as Deployments do unless told otherwise."""
OWN = 3
"""Connections that recovery itself needs: one of the probe, one of a Job, one in reserve."""


def room_of(breaker: str, policies: Iterable[Policy], workloads: Sequence[Workload]) -> Room:
    """What all policies that depend on this breaker declare of their pools."""
    declared, undeclared = 0, []
    for policy in policies:
        spec = policy.spec
        for dependency in spec.dependencies if spec is not None else ():
            if spec is None or dependency.breaker != breaker:
                continue
            if dependency.pool is None:
                undeclared.append(policy.meta.key.name)
                continue
            pool = dependency.pool
            pods = pool.max_pods or _pods(spec.target_ref.kind, spec.target_ref.name, workloads)
            declared += pods * (pool.size + pool.max_overflow)
    return Room(declared=declared, undeclared=sorted(undeclared)[:8])


def _pods(kind: str, name: str, workloads: Sequence[Workload]) -> int:
    found = (item for item in workloads if (item.meta.key.kind, item.meta.key.name) == (kind, name))
    return next((ceil(item.replicas * (1 + SURGE)) for item in found), 0)


def raised_size(before: int, by: str, at_most: int) -> int:
    """The size that a pool is raised to: `by` percent more, at least one, never beyond `at_most`.

    A size of nought means that it is not known: then it is not raised.
    """
    if before <= 0:
        return before
    more = max(1, before * int(by.removesuffix("%")) // 100)
    return max(before, min(before + more, at_most))


def fits(size: int, pools: int, limit: int, others: int) -> bool:
    """Whether so many pools of this size, with the connections of others and our own, stay within a server's limit."""
    return size * pools + others + OWN <= limit


def is_enough(limit: int, declared: int, others: int) -> bool:
    """Whether a server's limit already leaves room for all that applications declare, for others and for our own.

    Then a higher one would only feed whoever opens more than was declared.
    """
    return limit >= declared + others + OWN
