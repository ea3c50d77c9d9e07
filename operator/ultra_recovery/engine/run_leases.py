"""The Leases of a run: on its target while it runs, on the breakers that its current step touches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.action import Step
from ultra_recovery.apis.run_status import RunPhase, StepState
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.engine.target_lease import Claim, TargetLeases
from ultra_recovery.ports import Clock

_RELEASE_WINDOW = timedelta(hours=1)
_TOUCHES = (StepState.ACTING, StepState.VERIFYING, StepState.UNDOING)


class RunLeases:
    """Claims what a run needs now, and gives back what it does not need any more."""

    def __init__(self, leases: TargetLeases, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock
        self._released: set[str] = set()

    def forget(self) -> None:
        """Forget what this process knew: another leader may have acted meanwhile."""
        self._released.clear()
        self._leases.forget()

    async def target(self, run: Run, *, wanted: bool) -> Claim | None:
        """The target's Lease: held all the time that a run is Running, asked for when a Pending one is ready."""
        key = target_key(run)
        if key is None or run.spec is None or not (wanted or run.status.phase is RunPhase.RUNNING):
            return None
        return await self._leases.claim(key, run.meta.uid, run.spec.policy_name)

    async def breakers(self, run: Run, *, wanted: bool) -> Claim | None:
        """The Leases of the breakers that the current step touches; those of earlier steps are given back."""
        keys = _touched(run) if wanted or _step_state(run) in _TOUCHES else []
        for key in self._leases.held_by(run.meta.uid):
            if key.kind is Kind.BREAKER and key not in keys:
                await self._leases.release(key, run.meta.uid)
        if not keys or run.spec is None:
            return None
        return await self._leases.claim_all(keys, run.meta.uid, run.spec.policy_name)

    async def pause(self, run: Run) -> None:
        """Give everything back while the run waits for a person: others may work on the target meanwhile."""
        for key in self._leases.held_by(run.meta.uid):
            await self._leases.release(key, run.meta.uid)

    async def release(self, run: Run) -> None:
        """Give everything back; once in the life of this leader, also for runs that an earlier one ended."""
        if run.meta.uid in self._released:
            return
        ended, plan = run.status.finished_at, run.status.plan
        if ended is not None and self._clock.now() - ended < _RELEASE_WINDOW:
            target = target_key(run)
            names = {name for rung in (plan.ladder if plan else ()) for name in _breakers(rung)}
            keys = [target] if target is not None else []
            keys += [Key(Kind.BREAKER, run.meta.key.namespace, name) for name in sorted(names)]
            for key in keys:
                await self._leases.release(key, run.meta.uid)
        self._released.add(run.meta.uid)


def target_key(run: Run) -> Key | None:
    """The target of a run, once it is known."""
    target = run.status.target
    return Key(Kind(target.kind), run.meta.key.namespace, target.name) if target is not None else None


def _step_state(run: Run) -> StepState | None:
    return run.status.steps[-1].state if run.status.steps and run.status.phase is RunPhase.RUNNING else None


def _touched(run: Run) -> list[Key]:
    rung = run.current_rung
    return [Key(Kind.BREAKER, run.meta.key.namespace, name) for name in _breakers(rung)] if rung is not None else []


def _breakers(rung: Step) -> Sequence[str]:
    performer = find_action(rung.action)
    return performer.traits(rung.action).breakers if performer is not None else ()
