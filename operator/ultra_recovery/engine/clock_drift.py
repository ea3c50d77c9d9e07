"""Whether the wall clock can be trusted: how far it has moved against the clock that never jumps."""

from __future__ import annotations

from ultra_recovery.ports import Clock

MAX_DRIFT = 300.0
"""Seconds. Records, cooldowns and open times are on the wall clock: a process that saw it jump further starts anew."""


class ClockDrift:
    """Compares both clocks with how they stood when the process began; many small jumps add up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._offset()

    @property
    def seconds(self) -> float:
        """Drift since the process began; positive when the wall clock was set forward."""
        return self._offset() - self._began

    @property
    def too_large(self) -> bool:
        """Whether the process must be started anew."""
        return abs(self.seconds) > MAX_DRIFT

    def _offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.boottime()
