"""Times as the API writes them."""

from __future__ import annotations

import re
from datetime import datetime

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds between two timestamps; None while one of them is not there."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def seconds_of(duration: str | None) -> float | None:
    """Seconds of a duration such as 1m30s."""
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", duration or "")
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None
