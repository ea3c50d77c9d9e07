"""Storms: so many targets of a namespace fall ill at once that the cause lies elsewhere.

Restarting all of them would not help, and would take away what still works. Nothing is remembered: the answer depends
on the incidents in the statuses of the policies and the present alone, so a restart of the operator changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ultra_recovery.apis.meta import format_duration
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.core.objects import Policy
from ultra_recovery.core.refusal import Refusal

WITHIN = timedelta(minutes=2)
"""Incidents that opened within less than this of each other count together."""
CALM = timedelta(minutes=5)
"""The storm goes on for this long after it was last true."""
_LEAST_TARGETS = 5
_SHARE_PERCENT = 40


@dataclass(frozen=True, slots=True)
class OpenedIncident:
    """An incident of a policy.

    Attributes:
        target: identity of the workload: several policies on one target count once.
        opened_at: when the incident opened; whether it is still open does not matter.
    """

    target: str
    opened_at: datetime


def threshold(auto_policies: int) -> int:
    """How many targets make a storm: 40 % of the namespace's policies of mode Auto, rounded up, at least five."""
    return max(_LEAST_TARGETS, -(-auto_policies * _SHARE_PERCENT // 100))


def storm_refusal(incidents: Sequence[OpenedIncident], auto_policies: int, now: datetime) -> Refusal | None:
    """Whether a storm forbids disruption in a namespace.

    Args:
        incidents: the latest incident of every policy of the namespace.
        auto_policies: how many policies of the namespace have mode Auto.
        now: the present.
    """
    needed = threshold(auto_policies)
    recent = sorted(
        (item for item in incidents if now - WITHIN - CALM < item.opened_at), key=lambda item: item.opened_at
    )
    if len(recent) < needed:
        return None
    last_true, most = None, 0
    for first in recent:
        ends = first.opened_at + WITHIN
        together = {item.target for item in recent if first.opened_at <= item.opened_at < ends}
        if len(together) >= needed:
            last_true, most = ends, max(most, len(together))
    if last_true is None or now >= last_true + CALM:
        return None
    until = last_true + CALM
    message = (
        f"{most} targets of the namespace fell ill within {format_duration(WITHIN)}; {needed} make a storm "
        f"({auto_policies} policies of mode Auto); nothing is disrupted before {until.astimezone(UTC):%H:%M:%S} UTC"
    )
    return Refusal(Reason.STORM, message, until)


def namespace_storm(policies: Iterable[Policy], now: datetime) -> Refusal | None:
    """Whether a storm forbids disruption, from all policies of one namespace."""
    incidents, auto = [], 0
    for policy in policies:
        if policy.spec is None or policy.meta.deleting:
            continue
        auto += policy.spec.mode is Mode.AUTO
        incident = policy.status.incident
        if incident is not None:
            target = policy.spec.target_ref
            incidents.append(OpenedIncident(f"{target.kind}/{target.name}", incident.opened_at))
    return storm_refusal(incidents, auto, now)
