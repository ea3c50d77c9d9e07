"""Retention: deletes completed runs that nobody needs any more, a few at a time."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from ultra_recovery.apis.policy_status import IncidentState
from ultra_recovery.apis.recovery_policy import History
from ultra_recovery.core.errors import ApiError, Conflict, NotFound, NotLeader
from ultra_recovery.core.objects import Key, Kind, Policy, Run
from ultra_recovery.core.retention import beyond_cap, expired_orphans, expired_runs
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.table import Table
from ultra_recovery.ports import Clock, Objects

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two rounds."""
MOST_PER_ROUND = 50
"""Runs that one round deletes: tidying up must not keep the API server from what matters."""


class Retention:
    """Deletes runs while this process leads."""

    def __init__(self, table: Table, objects: Objects, leadership: Leadership, clock: Clock) -> None:
        self._table = table
        self._objects = objects
        self._leadership = leadership
        self._clock = clock

    async def run(self) -> None:
        """Tidy up every 30 s until cancelled. The first round waits, too: policies remember their runs first."""
        while True:
            await self._clock.sleep(EVERY)
            try:
                await self.tidy_up()
            except (ApiError, NotLeader) as error:
                log.warning("could not delete old runs now", extra={"error": str(error)})

    async def tidy_up(self) -> int:
        """One round; how many runs were deleted.

        Raises:
            NotLeader: this process may not act now.
            ApiError: the API server refused a deletion; the rest is for the next round.
        """
        deleted = 0
        for namespace in sorted({item.meta.key.namespace for item in self._table.select(Kind.RUN)}):
            for run in self._expired(namespace):
                if deleted >= MOST_PER_ROUND:
                    return deleted
                deleted += await self._delete(run)
            # Between two namespaces everybody else has a turn.
            await self._clock.sleep(0)
        return deleted

    async def _delete(self, run: Run) -> bool:
        self._leadership.check()
        key = run.meta.key
        try:
            await self._objects.delete_run(key.namespace, key.name, run.meta.uid)
        except (NotFound, Conflict):
            # Somebody else deleted it, or made another of its name: either way this one is gone.
            return False
        log.info("deleted an old run", extra={"object": str(key)})
        return True

    def _expired(self, namespace: str) -> Iterator[Run]:
        """What is to go in one namespace, each run once."""
        runs = [item for item in self._table.select(Kind.RUN, namespace) if isinstance(item, Run)]
        by_policy: defaultdict[str | None, list[Run]] = defaultdict(list)
        for run in runs:
            by_policy[run.spec.policy_name if run.spec is not None else None].append(run)
        found = [run for name, group in by_policy.items() for run in self._of_policy(namespace, name, group)]
        named = {run.meta.uid for run in found}
        yield from found
        left = [run for run in runs if run.meta.uid not in named]
        yield from beyond_cap(left)

    def _of_policy(self, namespace: str, name: str | None, runs: list[Run]) -> list[Run]:
        now = self._clock.now()
        policy = self._table.get(Key(Kind.POLICY, namespace, name)) if name is not None else None
        if not isinstance(policy, Policy):
            return expired_orphans(runs, History().ttl, now)
        spec, incident = policy.spec, policy.status.incident
        if spec is None:
            # How long it wants its runs kept cannot be read.
            return []
        open_incident = incident.id if incident is not None and incident.state is not IncidentState.CLOSED else None
        reports = [trigger.error_reported.within for trigger in spec.triggers if trigger.error_reported is not None]
        return expired_runs(
            runs,
            policy.status.recent_runs,
            spec.history,
            spec.limits.budget,
            spec.limits.cooldown,
            open_incident,
            now,
            max(reports, default=timedelta(0)),
        )
