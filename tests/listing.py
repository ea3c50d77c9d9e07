"""What a list shows, in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultra_recovery.core.objects import Kind
from ultra_recovery.ports import Objects


async def listed(objects: Objects, kind: Kind) -> tuple[str, list[Mapping[str, Any]]]:
    """The version of a list, and everything in it."""
    found = list[Mapping[str, Any]]()
    version = await objects.list(kind, found.append, lambda *_: False)
    return version, found
