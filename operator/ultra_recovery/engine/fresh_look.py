"""Before a run that somebody asked for: what they saw, we have seen.

Each kind is watched on its own, and nothing says in which order the watches tell. A run may be seen before the policy
that was applied with it, or before the pod whose trouble made a person ask; it would end at once, with nothing to do.
Runs of our own follow from what the table shows, and need none of this.
"""

from __future__ import annotations

from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.apis.run_status import RunPhase
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.engine.table import Table, level_now
from ultra_recovery.ports import Objects

_KINDS = (Kind.BREAKER, Kind.POLICY, Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.POD)
"""What a run is judged by before it starts."""


class FreshLook:
    """Lists the namespace of a requested run once, after the run was seen and before it is judged."""

    def __init__(self, table: Table, objects: Objects) -> None:
        self._table = table
        self._objects = objects
        self._done: dict[Key, str] = {}

    async def take(self, run: Run) -> None:
        """Make the table level with the run's namespace, if that was not done since the run was created.

        Raises:
            ApiError: a list failed: nothing may be concluded yet.
        """
        key, uid = run.meta.key, run.meta.uid
        if not _is_due(run) or self._done.get(key) == uid:
            return
        for kind in _KINDS:
            await level_now(self._table, self._objects, kind, key.namespace)
        self._done[key] = uid

    def forget(self, key: Key) -> None:
        """The run has ended, or is gone."""
        self._done.pop(key, None)


def _is_due(run: Run) -> bool:
    """Whether a run is judged next by what others may have changed before it.

    Of many reports few come to anything: their count, too, is known by then.
    """
    if run.spec is None or run.status.phase is not RunPhase.PENDING:
        return False
    if run.spec.cause is Cause.REPORTED:
        return run.status.plan is not None
    return run.spec.cause is Cause.MANUAL
