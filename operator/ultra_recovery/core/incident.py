"""Incidents: from the first trigger that fired to the proof that all stayed well.

(none, Closed) ──a trigger fires──▶ Active ──all clear──▶ Observing ──minHealthyPeriod──▶ Closed
                                      ▲                       │
                                      └────a trigger fires────┘   (same incident, attempts go on counting)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.signals import Signal, SignalState, all_clear, any_firing


@dataclass(frozen=True, slots=True)
class IncidentStep:
    """What one look did to the incident.

    Attributes:
        incident: the incident now, None while there never was one.
        reason: what happened to it, None when nothing did.
        next_look: when it changes by the passing of time alone.
    """

    incident: IncidentStatus | None
    reason: Reason | None = None
    next_look: datetime | None = None


def step_incident(
    incident: IncidentStatus | None,
    signals: Sequence[Signal],
    *,
    highest_id: int,
    min_healthy_period: timedelta,
    now: datetime,
) -> IncidentStep:
    """Apply the signals of this moment.

    Args:
        incident: the latest incident of the policy.
        signals: what its triggers say.
        highest_id: the highest incident number found in runs of this name: a policy that was deleted and created again
            must not reuse the names of runs that still exist.
        min_healthy_period: how long signals must stay clear before the incident closes.
        now: the present.
    """
    if incident is None or incident.state is IncidentState.CLOSED:
        return _open(incident, signals, highest_id, now) if any_firing(signals) else IncidentStep(incident)
    if incident.state is IncidentState.ACTIVE:
        return _active(incident, signals, min_healthy_period, now)
    return _observing(incident, signals, min_healthy_period, now)


def _firing(signals: Sequence[Signal]) -> list[str]:
    return [signal.trigger for signal in signals if signal.state is SignalState.FIRING]


def _open(incident: IncidentStatus | None, signals: Sequence[Signal], highest_id: int, now: datetime) -> IncidentStep:
    last = max(incident.id if incident else 0, highest_id)
    observed = [s.bad_since for s in signals if s.state is SignalState.FIRING and s.bad_since is not None]
    opened = IncidentStatus(
        id=last + 1,
        state=IncidentState.ACTIVE,
        triggers=_firing(signals),
        fault_observed_at=min(observed, default=now),
        opened_at=now,
    )
    return IncidentStep(opened, Reason.INCIDENT_OPENED)


def _active(
    incident: IncidentStatus, signals: Sequence[Signal], min_healthy_period: timedelta, now: datetime
) -> IncidentStep:
    if all_clear(signals):
        recovered = incident.model_copy(update={"state": IncidentState.OBSERVING, "recovered_at": now})
        return IncidentStep(recovered, Reason.INCIDENT_RECOVERED, now + min_healthy_period)
    joined = [name for name in _firing(signals) if name not in incident.triggers]
    if joined:
        return IncidentStep(incident.model_copy(update={"triggers": [*incident.triggers, *joined][:16]}))
    return IncidentStep(incident)


def _observing(
    incident: IncidentStatus, signals: Sequence[Signal], min_healthy_period: timedelta, now: datetime
) -> IncidentStep:
    if any_firing(signals):
        joined = [name for name in _firing(signals) if name not in incident.triggers]
        update = {"state": IncidentState.ACTIVE, "recovered_at": None, "triggers": [*incident.triggers, *joined][:16]}
        return IncidentStep(incident.model_copy(update=update), Reason.INCIDENT_RETURNED)
    if not all_clear(signals):
        # Pending, HalfOpen or no data: nothing is proven, so the period begins anew once all is clear.
        return IncidentStep(incident.model_copy(update={"recovered_at": None}))
    if incident.recovered_at is None:
        return IncidentStep(incident.model_copy(update={"recovered_at": now}), None, now + min_healthy_period)
    if now - incident.recovered_at >= min_healthy_period:
        closed = incident.model_copy(update={"state": IncidentState.CLOSED, "closed_at": now})
        return IncidentStep(closed, Reason.INCIDENT_CLOSED)
    return IncidentStep(incident, None, incident.recovered_at + min_healthy_period)
