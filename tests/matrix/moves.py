"""Which moves a breaker may make, written down a second time on purpose: not derived from the operator's own table."""

from __future__ import annotations

_MOVES = {
    "Closed": {"Open", "Closed"},  # failures, ForcedOpen; a reset or a changed target is a move to Closed from anywhere
    "Open": {"HalfOpen", "Closed", "Open"},  # trial; reset, Disabled; ForcedOpen while it is Open already
    "HalfOpen": {"Closed", "Open"},  # successes, reset; failure, trial timeout, ForcedOpen
}


def path_exists(start: str, end: str, moves: int) -> bool:
    """Whether `moves` moves lead from one state to the other; without a move it must be the same."""
    reached = {start}
    # Several moves may be told in one write, when the writes between them were refused.
    for _ in range(min(moves, 8)):
        reached = {state for known in reached for state in _MOVES.get(known, ())}
    return end in reached
