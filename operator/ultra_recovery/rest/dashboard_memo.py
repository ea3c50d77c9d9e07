"""Keeps the dashboard's figures for a moment: ten thousand runs are not counted for every reader."""

from __future__ import annotations

import json
from collections import OrderedDict
from itertools import islice

from ultra_recovery.core.objects import AnyObject, Key, Kind, Policy, Run
from ultra_recovery.ports import Clock
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.dashboard import FAILED, MOST_FAILURES, RunFact, Scene, dashboard, fact_of

UNCHANGED_FOR = 10.0
"""Seconds for which figures stand while nothing changes."""
CHANGED_FOR = 1.0
"""Seconds for which they stand while something does."""
_MOST = 64


class DashboardMemo:
    """The figures as JSON members, per set of namespaces."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache, self._clock = cache, clock
        self._facts: dict[Key, RunFact] = {}
        cache.subscribe(self._changed)
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
        active = [cache.table.get(key) for key in sorted(cache.active) if key.namespace in namespaces]
        failures = (run for run in cache.ordered(Kind.RUN, namespaces) if isinstance(run, Run) and _failed(run))
        return Scene(
            breakers=[item for item in cache.breakers() if item.meta.key.namespace in namespaces],
            policies=[(item, cache.target_of(item)) for item in policies],
            active=[item for item in active if isinstance(item, Run)],
            failures=list(islice(failures, MOST_FAILURES)),
            facts=[fact for fact in self._facts.values() if fact.namespace in namespaces],
            now=self._clock.now(),
        )

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        if key.kind is not Kind.RUN:
            return
        fact = fact_of(item) if isinstance(item, Run) else None
        if fact is None:
            self._facts.pop(key, None)
        else:
            self._facts[key] = fact


def _failed(run: Run) -> bool:
    return run.status.phase in FAILED
