"""Incidents: every state with everything that signals can say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.policy_scene import NOW, ago, incident, signal
from ultra_recovery.apis.policy_status import IncidentState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.incident import IncidentStep, step_incident
from ultra_recovery.core.signals import Signal, SignalState

S, N = SignalState, IncidentState
PERIOD = timedelta(minutes=10)
ALL_SAID = {
    "nothing": (),
    "clear": (signal(S.CLEAR),),
    "pending": (signal(S.PENDING),),
    "firing": (signal(S.FIRING),),
    "neither": (signal(S.NEITHER),),
    "unknown": (signal(S.UNKNOWN),),
    "one clear, one pending": (signal(S.CLEAR), signal(S.PENDING, trigger="database")),
    "one clear, one firing": (signal(S.CLEAR), signal(S.FIRING, trigger="database")),
    "one clear, one neither": (signal(S.CLEAR), signal(S.NEITHER, trigger="database")),
}
FIRES = {"firing", "one clear, one firing"}


def stepped(state: IncidentState | None, signals: tuple[Signal, ...], **changes: object) -> IncidentStep:
    known = incident(state).model_copy(update=changes) if state else None
    return step_incident(known, signals, highest_id=0, min_healthy_period=PERIOD, now=NOW)


@pytest.mark.parametrize("said", ALL_SAID)
@pytest.mark.parametrize("state", [None, N.CLOSED], ids=["none", "closed"])
def test_without_an_open_incident_only_a_firing_trigger_opens_one(state, said):
    step = stepped(state, ALL_SAID[said])
    opens = said in FIRES
    assert step.reason == (Reason.INCIDENT_OPENED if opens else None)
    if opens:
        assert step.incident.state is N.ACTIVE
        assert step.incident.id == (2 if state else 1)
        assert (step.incident.fault_observed_at, step.incident.opened_at) == (ago(60), NOW)
    else:
        assert (step.incident.state if step.incident else None) == state


@pytest.mark.parametrize("said", ALL_SAID)
def test_an_active_incident_recovers_only_when_all_is_clear(said):
    step = stepped(N.ACTIVE, ALL_SAID[said])
    recovers = said == "clear"
    assert step.incident.state is (N.OBSERVING if recovers else N.ACTIVE)
    assert step.reason == (Reason.INCIDENT_RECOVERED if recovers else None)
    assert step.incident.recovered_at == (NOW if recovers else None)
    assert step.next_look == (NOW + PERIOD if recovers else None)


def test_a_trigger_that_fires_later_joins_the_incident():
    step = stepped(N.ACTIVE, (signal(), signal(trigger="database")))
    assert step.incident.triggers == ["pods", "database"]
    assert step.incident.id == 1


@pytest.mark.parametrize("said", ALL_SAID)
@pytest.mark.parametrize("observed", [None, 599, 600], ids=["anew", "not for long", "for long enough"])
def test_an_observed_incident_returns_goes_on_or_closes(said, observed):
    since = ago(observed) if observed is not None else None
    step = stepped(N.OBSERVING, ALL_SAID[said], recovered_at=since)
    found = (step.incident.state, step.reason, step.incident.recovered_at)
    if said in FIRES:
        assert found == (N.ACTIVE, Reason.INCIDENT_RETURNED, None)
        assert step.incident.id == 1
    elif said != "clear":
        assert found == (N.OBSERVING, None, None), "what proves nothing lets the period begin anew"
    elif observed == 600:
        assert found == (N.CLOSED, Reason.INCIDENT_CLOSED, since)
        assert step.incident.closed_at == NOW
    else:
        assert found == (N.OBSERVING, None, since or NOW)
        assert step.next_look == (since or NOW) + PERIOD


def test_a_policy_that_was_created_again_takes_no_number_that_runs_have():
    step = step_incident(None, (signal(),), highest_id=7, min_healthy_period=PERIOD, now=NOW)
    assert step.incident.id == 8
