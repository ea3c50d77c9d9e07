"""Pairwise combinations: few rows in which any two choices of any two dimensions meet at least once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

Row = dict[str, str]
Choice = tuple[str, str]


def pairwise(dimensions: Mapping[str, Sequence[str]]) -> list[Row]:
    """Rows that name one choice of each dimension, and together hold every pair of choices of two dimensions."""
    open_pairs = {
        ((one, first), (two, second))
        for one, two in combinations(dimensions, 2)
        for first in dimensions[one]
        for second in dimensions[two]
    }
    rows = []
    while open_pairs:
        row: Row = dict(min(open_pairs))
        for name, choices in dimensions.items():
            if name not in row:
                row[name] = max(choices, key=lambda choice, name=name, row=row: _gain(row, (name, choice), open_pairs))
        row = {name: row[name] for name in dimensions}
        open_pairs -= set(combinations(row.items(), 2))
        rows.append(row)
    return rows


def _gain(row: Row, added: Choice, open_pairs: set[tuple[Choice, Choice]]) -> int:
    return sum((other, added) in open_pairs or (added, other) in open_pairs for other in row.items())
