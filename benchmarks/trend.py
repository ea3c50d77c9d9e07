"""What a row of measurements over minutes comes to: the figures to show of it, and how it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

SHOWN = 10.0
"""Minutes from one figure that is shown to the next."""
WINDOW = 5.0
"""Minutes of which the least counts. What is not needed any more is freed each four minutes or so, 3 MB at once, and
where in that saw-tooth a measurement begins and ends would be taken for growth."""


def shown(samples: Sequence[tuple[float, float]]) -> Iterator[float]:
    """The first of the samples, from then on one each ten minutes, and the last."""
    due = 0.0
    for minutes, size in samples[:-1]:
        if minutes >= due:
            yield size
            due = minutes + SHOWN
    yield from (size for _, size in samples[-1:])


def floor(samples: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The least of each window, at the middle of it; the last window may be short, and then does not count."""
    for _, window in groupby(samples, key=lambda sample: (sample[0] - samples[0][0]) // WINDOW):
        minutes, sizes = zip(*window, strict=True)
        if minutes[-1] - minutes[0] > WINDOW * 0.8:
            yield (minutes[0] + minutes[-1]) / 2, min(sizes)


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Megabytes an hour, by least squares; 0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    middle = sum(minute for minute, _ in samples) / len(samples)
    mean = sum(size for _, size in samples) / len(samples)
    spread = sum((minute - middle) ** 2 for minute, _ in samples)
    return 60 * sum((minute - middle) * (size - mean) for minute, size in samples) / spread if spread else 0.0
