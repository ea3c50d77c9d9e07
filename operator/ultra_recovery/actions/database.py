"""Actions on a database: each is a Job of our own image, with the credentials mounted where it runs.

Guarded: the Job's name follows from the run and the step, so creating it twice is creating it once; on a server with
advisory locks the Job takes the one of its name first. What it changes for a while it changes back itself; where it
died before that, a second Job does it.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

from ultra_recovery.actions.job_watch import (
    CREATE_JOB,
    JOB_RIGHTS,
    UNDO_JOB,
    job_labels,
    observe_job,
    settlement_of,
    sighting_of,
)
from ultra_recovery.actions.performer import Errand, Toolbox
from ultra_recovery.apis.action import Action
from ultra_recovery.apis.database import DatabaseTarget, PostgresTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus
from ultra_recovery.core.action import EffectClass, Proposal, Settlement, Sighting, StepView, Traits
from ultra_recovery.core.breaker_state import Snapshot
from ultra_recovery.core.connection_budget import raised_size, room_of
from ultra_recovery.core.database_job import Mounts, database_job
from ultra_recovery.core.database_request import DatabaseRequest, Engine, Part
from ultra_recovery.core.errors import AlreadyExists, SpecError
from ultra_recovery.core.naming import job_name
from ultra_recovery.core.objects import Breaker, Key, Kind, Policy, Workload
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.step_gates import ActionClass

RESTORE_JOB = "RestoreJob"
_REACHED = frozenset({Reason.EXHAUSTED})
"""Failures of a server that is there all the same."""


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What has to be known to take an action back: the value before, and the value that we set."""

    before: int
    after: int

    @classmethod
    def read(cls, detail: str | None) -> _Sizes | None:
        try:
            document = json.loads(detail or "")
            return cls(int(document["before"]), int(document["after"]))
        except (ValueError, KeyError, TypeError):
            return None

    def to_text(self) -> str:
        return json.dumps({"before": self.before, "after": self.after}, separators=(",", ":"))


class DatabaseJobAction:
    """Creates the Job of an action on a database and waits until it has finished."""

    def traits(self, action: Action) -> Traits:
        """A repair of the dependency that is guarded by the Job's name."""
        return Traits(ActionClass.DEPENDENCY_REPAIR, EffectClass.GUARDED, (_breaker(action),), JOB_RIGHTS)

    def propose(self, view: StepView) -> Proposal | None:
        """The Job; before one that raises a pool, the Job that will set the old size again.

        None: the server cannot be reached, so that there is nothing to work on; or the pool cannot be raised.
        """
        snapshot = view.touched.get(_breaker(view.action))
        if view.action.reconnect_database is None and not _is_reached(snapshot):
            return None
        done = {effect.kind for effect in view.step.effects}
        if CREATE_JOB in done:
            return None
        if view.action.raise_pool_size is None:
            return Proposal(_effect(view, CREATE_JOB, _sizes_of_reconnect(view, snapshot)))
        sizes = _sizes_of_raise(view, snapshot)
        if sizes is None:
            return None
        return Proposal(_effect(view, CREATE_JOB if RESTORE_JOB in done else RESTORE_JOB, sizes))

    def look(self, effect: EffectStatus, view: StepView) -> Sighting:
        """The Job is there: done."""
        return sighting_of(view.observations.get(effect.id))

    def settled(self, effect: EffectStatus, view: StepView) -> Settlement | None:
        """The Job has finished, or somebody removed it. One that waits to restore has done its part by being there."""
        seen = view.observations.get(effect.id)
        if effect.kind == RESTORE_JOB and sighting_of(seen).outcome is not None:
            return Settlement(changed=False)
        return settlement_of(seen)

    def undo(self, view: StepView) -> EffectStatus | None:
        """A second Job that sets the old value again, where the first one may have changed it."""
        first = next((effect for effect in view.step.effects if effect.kind == CREATE_JOB), None)
        if first is None or first.outcome is EffectOutcome.WITHDRAWN:
            return None
        sizes = _Sizes.read(first.detail)
        return _effect(view, UNDO_JOB, sizes) if sizes is not None else None

    async def observe(self, errand: Errand, tools: Toolbox) -> object | None:
        """The Job as it is now, with what its pods said last.

        Raises:
            ApiError: it cannot be read.
        """
        return await observe_job(errand, tools)

    async def perform(self, errand: Errand, tools: Toolbox) -> Sighting:
        """Create the Job.

        Raises:
            ApiError: it was not created, or it is not known whether it was.
            SpecError: something that it needs does not exist or is not allowed.
        """
        if not tools.image:
            message = "the operator does not know its own image: set ULTRA_IMAGE, as the chart does"
            raise SpecError(Reason.INVALID_SPEC, message)
        name = _breaker(errand.rung.action)
        target = _target(errand, tools, name)
        hook = errand.rung.action.refresh_pool.hook if errand.rung.action.refresh_pool else None
        located = await tools.databases.locate(errand.namespace, name, target, hook.service_ref if hook else None)
        request = _request(errand, tools, name, target).model_copy(
            update={
                "servers": list(located.servers),
                "server_name": located.server_name,
                "poolers": list(located.poolers),
                "hooks": list(located.hooks),
            }
        )
        document = database_job(request, tools.image, job_labels(errand), _mounts(target))
        # It exists where an earlier attempt created it and its answer was lost, or its writer died.
        with contextlib.suppress(AlreadyExists):
            await tools.jobs.create_job(errand.namespace, document)
        return Sighting(EffectOutcome.CREATED)


def _breaker(action: Action) -> str:
    if action.database is None:
        raise ValueError("not a step on a database")
    return action.database.breaker


def _is_reached(snapshot: Snapshot | None) -> bool:
    """Whether the server answers, if only to say that it is full. Of one that was never probed nothing is known."""
    last = snapshot.last if snapshot is not None else None
    return last is not None and (last.outcome is Outcome.SUCCESS or last.reason in _REACHED)


def _sizes_of_reconnect(view: StepView, snapshot: Snapshot | None) -> _Sizes | None:
    """How long the pooler remembers a failed login, where the action is going to shorten that."""
    pool = snapshot.pool if snapshot is not None else None
    if view.action.reconnect_database is None or pool is None or pool.pooler is None:
        return None
    return _Sizes(pool.pooler.login_retry_seconds, 1) if pool.pooler.login_retry_seconds > 1 else None


def _sizes_of_raise(view: StepView, snapshot: Snapshot | None) -> _Sizes | None:
    """The present size of the pool and a larger one; as an earlier effect of the step has it, if there is one."""
    for effect in view.step.effects:
        if (known := _Sizes.read(effect.detail)) is not None:
            return known
    raising, pool = view.action.raise_pool_size, snapshot.pool if snapshot is not None else None
    if raising is None or pool is None:
        return None
    before = pool.pooler.pool_size if pool.pooler is not None else pool.limit
    after = raised_size(before, raising.by, raising.at_most)
    return _Sizes(before, after) if after > before else None


def _effect(view: StepView, kind: str, sizes: _Sizes | None) -> EffectStatus:
    meta = view.run.meta
    step = f"{view.rung.name}-restore" if kind == RESTORE_JOB else view.rung.name
    name = job_name(meta.key.name, meta.uid, step, undo=kind == UNDO_JOB)
    detail = sizes.to_text() if sizes is not None else None
    return EffectStatus(kind=kind, object=name, id=name, intent_at=view.now, detail=detail)


def _target(errand: Errand, tools: Toolbox, breaker: str) -> DatabaseTarget:
    item = tools.view.get(Key(Kind.BREAKER, errand.namespace, breaker))
    if not isinstance(item, Breaker) or item.spec is None or item.spec.target.server is None:
        raise SpecError(Reason.BREAKER_NOT_FOUND, f"CircuitBreaker {breaker} with a target postgres or mysql is gone")
    return item.spec.target.server


_PARTS = {CREATE_JOB: Part.DO, UNDO_JOB: Part.UNDO, RESTORE_JOB: Part.RESTORE_LATER}


def _request(errand: Errand, tools: Toolbox, breaker: str, target: DatabaseTarget) -> DatabaseRequest:
    action, part = errand.rung.action, _PARTS.get(errand.effect.kind, Part.DO)
    pooler = target.pooler if isinstance(target, PostgresTarget) else None
    sizes, raising = _Sizes.read(errand.effect.detail), action.raise_pool_size
    later = raising is not None and part is Part.RESTORE_LATER
    policies = [item for item in tools.view.select(Kind.POLICY, errand.namespace) if isinstance(item, Policy)]
    workloads = [
        item
        for kind in (Kind.DEPLOYMENT, Kind.STATEFUL_SET)
        for item in tools.view.select(kind, errand.namespace)
        if isinstance(item, Workload)
    ]
    return DatabaseRequest(
        id=errand.effect.object,
        part=part,
        engine=Engine.POSTGRES if isinstance(target, PostgresTarget) else Engine.MYSQL,
        namespace=errand.namespace,
        breaker=breaker,
        action=action,
        servers=[],
        database=target.database,
        app_user=target.app_user,
        writable=target.writable,
        tls=target.tls,
        reconnect=target.reconnect,
        has_recovery_role=target.recovery_secret_ref is not None,
        pooler_database=(pooler.database if pooler is not None and pooler.database else target.database),
        has_pooler=pooler is not None,
        recycle_seconds=_recycle(errand, breaker),
        room=room_of(breaker, policies, workloads),
        size_before=sizes.before if sizes is not None else None,
        size_after=sizes.after if sizes is not None else None,
        restore_after_seconds=int(raising.restore_after.total_seconds()) if raising is not None and later else 0,
        restore_at=errand.effect.intent_at + raising.restore_after if raising is not None and later else None,
        deadline_seconds=max(int(errand.rung.timeout.total_seconds()), 1),
    )


def _recycle(errand: Errand, breaker: str) -> int | None:
    """The age at which the target itself renews a connection to this database."""
    plan = errand.run.status.plan
    pools = [item.pool for item in (plan.dependencies if plan else []) if item.breaker == breaker and item.pool]
    return int(pools[0].recycle.total_seconds()) if pools else None


def _mounts(target: DatabaseTarget) -> Mounts:
    pooler = target.pooler if isinstance(target, PostgresTarget) else None
    return Mounts(
        probe=target.credentials_secret_ref.name,
        recovery=target.recovery_secret_ref.name if target.recovery_secret_ref else None,
        pooler=pooler.admin_secret_ref.name if pooler else None,
        authority=target.tls.mode == "VerifyFull",
    )
