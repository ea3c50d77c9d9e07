"""What an overridden breaker says to triggers, whatever it is otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.breaker_scene import (
    CLOSED,
    DISABLED,
    FORCED,
    METRICS,
    NOW,
    OPEN,
    at,
    override,
    result,
    snapshot,
    spec,
)
from ultra_recovery.apis.trigger import Trigger
from ultra_recovery.core.override import differs, wanted_override
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.signals import Observed, SignalState, read_signals

TRIGGER = Trigger.model_validate({"name": "db", "circuitOpen": {"breaker": "orders-db"}})


@pytest.mark.parametrize(("state", "over"), [(OPEN, FORCED), (CLOSED, DISABLED), (CLOSED, METRICS)], ids=str)
def test_an_overridden_breaker_neither_fires_nor_clears_and_the_message_says_so(state, over):
    found = snapshot(state, over, last=result(Outcome.SUCCESS), good_since=NOW)
    (signal,) = read_signals([TRIGGER], Observed({"orders-db": found}, [], {}), NOW + timedelta(hours=1))
    assert signal.state is SignalState.NEITHER
    assert signal.message == f"breaker orders-db neither fires nor clears: spec.override is {over}"
    assert signal.good_since == NOW


def test_an_override_is_told_with_its_end_and_reason():
    sentence = override(FORCED, 60, "database migration").sentence
    assert sentence == "spec.override is ForcedOpen until 2026-01-01T00:01:00.000Z: database migration"


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        pytest.param(None, None, False, id="none"),
        pytest.param(None, override(FORCED), True, id="begins"),
        pytest.param(override(FORCED), None, True, id="ends"),
        pytest.param(override(FORCED), override(FORCED), False, id="the same"),
        pytest.param(override(FORCED), override(DISABLED), True, id="another state"),
        pytest.param(override(FORCED, 1), override(FORCED, 2), True, id="another end"),
        pytest.param(override(FORCED), override(FORCED, None, "x"), True, id="another reason"),
    ],
)
def test_something_happens_when_what_is_asked_for_is_not_in_force(current, wanted, expected):
    assert differs(current, wanted) is expected


@pytest.mark.parametrize(("seconds", "in_force"), [(-1, False), (0, False), (0.001, True)])
def test_an_override_is_over_at_its_until(seconds, in_force):
    asked = spec(override={"state": "Disabled", "until": at(seconds).isoformat()}).override
    assert (wanted_override(asked, NOW) is not None) is in_force
