"""First probes are spread evenly, and one that comes alone does not wait."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ultra_recovery.adapters.memory import FixedRandom
from ultra_recovery.engine.spread import Spread


@pytest.mark.parametrize(("count", "span"), [(100, 1.0), (1000, 10.0), (10_000, 30.0)])
def test_breakers_of_one_start_share_their_span_evenly(count: int, span: float) -> None:
    spread = Spread(FixedRandom([0.3]))
    moments = sorted(30.0 * spread.next(count - number, 30.0, 0.0) for number in range(count))
    assert moments[0] >= 0.0
    assert moments[-1] < span
    assert max(b - a for a, b in pairwise(moments)) < 3 * span / count


def test_one_that_is_applied_later_is_probed_at_once_however_many_there_are() -> None:
    spread = Spread(FixedRandom([0.999]))
    for number in range(1000):
        spread.next(1000 - number, 30.0, 0.0)
    assert 30.0 * spread.next(1, 30.0, 100.0) <= 0.01


def test_many_that_are_applied_one_by_one_are_spread_too() -> None:
    spread = Spread(FixedRandom([0.0]))
    moments = [30.0 * spread.next(1, 30.0, number / 100) for number in range(1000)]
    assert max(moments) > 5.0
