"""What is remembered of databases for the triggers that go by their figures."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from ultra_recovery.apis.trigger import DatabasePoolTrigger, Trigger
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.pool_trouble import PoolHistory, observe_pool

_MAX = 10_000


class PoolMemory:
    """One history for each condition on each breaker; policies and runs that ask for the same share it."""

    def __init__(self) -> None:
        self._histories: OrderedDict[tuple[str, DatabasePoolTrigger], PoolHistory] = OrderedDict()

    def observe(
        self, namespace: str, trigger: Trigger, snapshots: Mapping[str, Snapshot | None]
    ) -> dict[str, PoolHistory]:
        """Take the newest probe of the trigger's breaker; the history, by name of the trigger."""
        spec = trigger.database_pool
        if spec is None:
            return {}
        snapshot, key = snapshots.get(spec.breaker), (namespace, spec)
        last = snapshot.last if snapshot is not None else None
        history = observe_pool(self._histories.get(key), spec, last)
        self._histories[key] = history
        self._histories.move_to_end(key)
        if len(self._histories) > _MAX:
            self._histories.popitem(last=False)
        return {trigger.name: history}

    def forget(self) -> None:
        """Forget everything."""
        self._histories.clear()
