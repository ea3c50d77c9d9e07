"""Keeps the dashboard's figures for a moment: ten thousand runs are not counted for every reader."""

from __future__ import annotations

import json
from collections import OrderedDict

from ultra_recovery.core.objects import Kind, Policy, Run
from ultra_recovery.ports import Clock
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.dashboard import Scene, dashboard

UNCHANGED_FOR = 10.0
"""Seconds for which figures stand while nothing changes."""
CHANGED_FOR = 1.0
"""Seconds for which they stand while something does."""
_MOST = 64


class DashboardMemo:
    """The figures as JSON members, per set of namespaces."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache, self._clock = cache, clock
        self._kept: OrderedDict[frozenset[str], tuple[float, int, bytes]] = OrderedDict()

    def body(self, namespaces: frozenset[str]) -> bytes:
        """The figures of these namespaces: a JSON object without its first brace."""
        now = self._clock.boottime()
        kept = self._kept.get(namespaces)
        if kept is not None:
            made_at, changes, body = kept
            if now - made_at < (UNCHANGED_FOR if changes == self._cache.changes else CHANGED_FOR):
                return body
        body = json.dumps(dashboard(self._scene(namespaces)), separators=(",", ":")).encode()[1:]
        self._kept.pop(namespaces, None)
        while len(self._kept) >= _MOST:
            self._kept.popitem(last=False)
        self._kept[namespaces] = (now, self._cache.changes, body)
        return body

    def _scene(self, namespaces: frozenset[str]) -> Scene:
        cache = self._cache
        policies = [item for item in cache.ordered(Kind.POLICY, namespaces) if isinstance(item, Policy)]
        return Scene(
            breakers=[item for item in cache.breakers() if item.meta.key.namespace in namespaces],
            policies=[(item, cache.target_of(item)) for item in policies],
            runs=[item for item in cache.ordered(Kind.RUN, namespaces) if isinstance(item, Run)],
            now=self._clock.now(),
        )
