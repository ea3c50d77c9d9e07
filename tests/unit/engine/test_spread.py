"""First probes are spread evenly, and one that comes alone does not wait."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ultra_recovery.adapters.memory import FixedRandom
from ultra_recovery.engine.spread import SOON, Spread


@pytest.mark.parametrize(("count", "span"), [(100, 1.0), (1000, 10.0), (10_000, 21.0)])
def test_breakers_of_one_start_share_their_span_evenly(count: int, span: float) -> None:
    spread = Spread(FixedRandom([0.3]))
    moments = sorted(30.0 * spread.next(count - number, 30.0, 0.0).first for number in range(count))
    assert moments[0] >= 0.0
    assert moments[-1] < span
    assert max(b - a for a, b in pairwise(moments)) < 3 * span / count


def test_one_that_is_applied_later_is_probed_at_once_however_many_there_are() -> None:
    spread = Spread(FixedRandom([0.999]))
    for number in range(1000):
        spread.next(1000 - number, 30.0, 0.0)
    assert 30.0 * spread.next(1, 30.0, 100.0).first <= 0.01


def test_many_that_are_applied_one_by_one_are_spread_too() -> None:
    spread = Spread(FixedRandom([0.0]))
    moments = [30.0 * spread.next(1, 30.0, number / 100).first for number in range(1000)]
    assert max(moments) > 5.0


def test_so_many_that_they_need_the_whole_interval_share_it_from_their_second_probes_on() -> None:
    spread = Spread(FixedRandom([0.3]))
    slots = [spread.next(10_000 - number, 30.0, 0.0) for number in range(10_000)]
    moments = sorted(30.0 * slot.second for slot in slots if slot.second is not None)
    assert len(moments) == 10_000
    assert moments[-1] - moments[0] > 29.9
    assert max(b - a for a, b in pairwise(moments)) < 3 * 30 / 10_000
    assert all(slot.second is not None and SOON <= slot.second - slot.first <= 1.0 for slot in slots)
