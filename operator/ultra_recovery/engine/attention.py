"""Who wants a breaker to be probed more often than usual, and to hear of every probe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet

from ultra_recovery.core.objects import Key


class Attention:
    """Runs watch: probes at trialInterval. Policies attend: probes at retryInterval, as after a failure."""

    def __init__(self) -> None:
        self._watchers: dict[Key, set[str]] = defaultdict(set)
        self._attended: dict[Key, frozenset[Key]] = {}

    def watch(self, breaker: Key, run: str, *, wanted: bool) -> bool:
        """Begin or end watching; whether this run begins to watch now."""
        watchers = self._watchers[breaker]
        begins = wanted and run not in watchers
        if wanted:
            watchers.add(run)
        else:
            watchers.discard(run)
        if not watchers:
            del self._watchers[breaker]
        return begins

    def attend(self, policy: Key, breakers: AbstractSet[Key]) -> frozenset[Key]:
        """Attend to these breakers, and to no others any more; those that nobody attended to so far."""
        before = frozenset[Key]().union(*self._attended.values())
        if breakers:
            self._attended[policy] = frozenset(breakers)
        else:
            self._attended.pop(policy, None)
        return frozenset(breakers) - before

    def watched(self, breaker: Key) -> bool:
        """Whether a run watches."""
        return bool(self._watchers.get(breaker))

    def attended(self, breaker: Key) -> bool:
        """Whether a policy attends."""
        return any(breaker in breakers for breakers in self._attended.values())

    def forget(self) -> None:
        """Another leader may have acted meanwhile."""
        self._watchers.clear()
        self._attended.clear()
