"""When a breaker is looked at again, and what is held back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.core.breaker_scene import (
    CLOSED,
    DISABLED,
    FORCED,
    HALF_OPEN,
    NOW,
    OPEN,
    SPEC,
    at,
    override,
    result,
    snapshot,
)
from ultra_recovery.apis.circuit_breaker import CircuitBreakerStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.breaker_status import BreakerRecord, status_of
from ultra_recovery.core.probe import Outcome
from ultra_recovery.engine.breaker_runtime import WRITE_INTERVAL, Runtime


def runtime(found: Snapshot, **fields: object) -> Runtime:
    return replace(Runtime("uid", found, None, at(30), NOW, (), ""), **fields)


@pytest.mark.parametrize(
    ("found", "probing", "rest", "expected"),
    [
        pytest.param(snapshot(CLOSED), False, None, at(30), id="the next probe"),
        pytest.param(snapshot(CLOSED), True, None, None, id="a probe on its way makes its own look"),
        pytest.param(snapshot(CLOSED), False, at(10), at(10), id="what was held back"),
        pytest.param(snapshot(HALF_OPEN, half_open_deadline=at(20)), False, None, at(20), id="the end of a trial"),
        pytest.param(snapshot(CLOSED, DISABLED), False, None, None, id="disabled without an end"),
        pytest.param(snapshot(OPEN, FORCED), False, None, at(30), id="forced open without an end"),
        pytest.param(
            replace(snapshot(CLOSED, DISABLED), override=override(DISABLED, 99)), False, None, at(99), id="its end"
        ),
    ],
)
def test_the_next_look(found: Snapshot, probing: bool, rest: datetime | None, expected: datetime | None):
    assert runtime(found, probing_epoch=found.epoch if probing else None).next_moment(rest) == expected


def written(found: Snapshot, stalled: tuple[Reason, str] | None = None) -> CircuitBreakerStatus:
    return status_of(found, SPEC, BreakerRecord(1, (), stalled), CircuitBreakerStatus(), NOW)


OLD = replace(snapshot(OPEN), last=result(Outcome.FAILURE))
STALLED = (Reason.TARGET_NOT_FOUND, "Service db does not exist")
SOON = NOW + WRITE_INTERVAL - timedelta(seconds=4)


@pytest.mark.parametrize(
    ("new", "fields", "until"),
    [
        pytest.param(
            written(replace(OLD, epoch=9)), {"written_at": at(-1), "probing_epoch": 3}, None, id="a transition"
        ),
        pytest.param(written(replace(OLD, failures=2)), {}, None, id="a counter, for the first time"),
        pytest.param(written(replace(OLD, failures=2)), {"written_at": at(-4)}, SOON, id="a counter, too soon"),
        pytest.param(written(replace(OLD, failures=2)), {"written_at": at(-10)}, None, id="a counter, in time"),
        pytest.param(
            written(replace(OLD, failures=2)), {"probing_epoch": 3}, at(10), id="a counter, with a probe on its way"
        ),
        pytest.param(written(OLD, STALLED), {"written_at": at(-1)}, None, id="enforcement does not wait for counters"),
        pytest.param(written(OLD, STALLED), {"enforced_at": at(-4)}, SOON, id="enforcement that flaps"),
    ],
)
def test_what_is_held_back(new: CircuitBreakerStatus, fields: dict[str, object], until: datetime | None):
    assert runtime(OLD, **fields).hold_back(new, written(OLD), NOW) == until
