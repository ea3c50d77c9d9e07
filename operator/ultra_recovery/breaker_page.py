"""The reference page of the breaker's table, drawn from the table itself."""

from __future__ import annotations

from collections.abc import Callable

from ultra_recovery.apis.reference import HEADER, table
from ultra_recovery.core.breaker import TRANSITIONS, Row
from ultra_recovery.core.breaker_effects import always


def breaker_table_page() -> str:
    """Every row of the table in its order, in the words of its guard and effect."""
    return "\n".join(
        [
            HEADER,
            "# The circuit breaker's table\n",
            "The first row whose state and event fit and whose condition holds is taken. An event without a row",
            "changes nothing. Results that were asked for before the last transition or reset are dropped before that.",
            "How to read it: [the circuit breaker](../explanation/circuit-breaker.md).\n",
            table(("State", "Event", "If", "Next", "Effect"), [_cells(row) for row in TRANSITIONS]),
        ]
    )


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    condition = "" if row.guard is always else _words(row.guard)
    return (str(row.state or "any"), str(row.event), condition, str(row.next or "same"), _words(row.effect))


def _words(function: Callable[..., object]) -> str:
    """The first line of a docstring."""
    return (function.__doc__ or "").strip().splitlines()[0]
