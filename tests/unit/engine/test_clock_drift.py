"""Liveness sees when somebody has set the wall clock; on a fake clock."""

from __future__ import annotations

import pytest

from ultra_recovery.adapters.memory import FakeClock
from ultra_recovery.engine.clock_drift import MAX_DRIFT, ClockDrift

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_time_that_passes_is_no_drift():
    clock = FakeClock()
    drift = ClockDrift(clock)
    await clock.sleep(100_000)
    assert drift.seconds == pytest.approx(0, abs=0.001)
    assert not drift.too_large


@pytest.mark.parametrize(
    ("jumps", "too_large"),
    [
        ([299.0], False),
        ([301.0], True),
        ([-301.0], True),
        ([3600.0], True),
        ([100.0, 100.0, 101.0], True),
        ([3600.0, -3600.0], False),
    ],
    ids=["small", "forward", "back", "an hour", "several add up", "there and back"],
)
@pytest.mark.failure(
    of="Operator",
    what="The wall clock jumps",
    see="`recovery_clock_skew_seconds` and alert UltraRecoveryClockSkew; beyond five minutes `/livez` fails "
    "and the kubelet starts it anew",
    bound="5 minutes",
)
async def test_a_jump_is_seen_and_one_of_more_than_five_minutes_is_too_large(jumps: list[float], too_large: bool):
    clock = FakeClock()
    drift = ClockDrift(clock)
    for jump in jumps:
        clock.jump(jump)
        await clock.sleep(10)
    assert drift.seconds == pytest.approx(sum(jumps), abs=0.001)
    assert drift.too_large is too_large
    assert MAX_DRIFT == 300


async def test_a_process_that_begins_after_the_jump_knows_nothing_of_it():
    clock = FakeClock()
    clock.jump(3600)
    assert ClockDrift(clock).seconds == pytest.approx(0, abs=0.001)
