"""The effects of a run's current step: looks at those that are open, carries out the next one."""

from __future__ import annotations

import logging
from datetime import timedelta

from ultra_recovery.actions.performer import Errand, Performer, Toolbox
from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, StepState
from ultra_recovery.core.action import Sighting
from ultra_recovery.core.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound, Rejected, SpecError
from ultra_recovery.core.errors import TooManyRequests as Busy
from ultra_recovery.core.objects import Run
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.step_acting import is_unsettled
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.ports import Clock

log = logging.getLogger(__name__)

_BUDGET_RETRY = timedelta(seconds=2)
_FLOW_RETRY = timedelta(seconds=1)
_FOR_GOOD = (Rejected, Forbidden, NotFound, AlreadyExists, Conflict, SpecError)
"""What asking again cannot change."""


class RunEffects:
    """Acts for runs through the ports, and remembers what was refused only for now."""

    def __init__(self, tools: Toolbox, leadership: Leadership, clock: Clock) -> None:
        self._tools = tools
        self._leadership = leadership
        self._clock = clock
        self._refused: dict[str, Refusal] = {}
        self._turned_away: set[str] = set()

    def forget(self, run_uid: str | None = None) -> None:
        """Forget what was refused, of one run or of all: another leader may have acted meanwhile."""
        if run_uid is None:
            self._refused.clear()
            self._turned_away.clear()
        else:
            self._refused.pop(run_uid, None)

    def refused(self, run: Run) -> Refusal | None:
        """What was answered to the latest effect of a run, if it was refused for now."""
        return self._refused.get(run.meta.uid)

    async def observe(self, run: Run) -> dict[str, object]:
        """What the actions see of the effects of the current step that are open.

        Raises:
            ApiError: something could not be read; without it nothing can be decided.
        """
        rung, steps = run.current_rung, run.status.steps
        if rung is None or steps[-1].state not in (StepState.ACTING, StepState.UNDOING):
            return {}
        performer = find_action(rung.action)
        seen: dict[str, object] = {}
        for effect in steps[-1].effects if performer else ():
            if performer is not None and (effect.outcome is None or is_unsettled(effect)):
                found = await performer.observe(Errand(run, rung, effect), self._tools)
                if found is not None:
                    seen[effect.id] = found
        return seen

    async def perform(self, run: Run, performer: Performer, effect: EffectStatus, *, fresh: bool) -> Sighting:
        """Carry out one effect. Its intent is written; the fence is asked right before it.

        Args:
            run: the run.
            performer: the action of its current step.
            effect: the effect.
            fresh: its intent was written just now, so nobody can have tried it before.

        Raises:
            NotLeader: this process may not act now.
        """
        self._leadership.check()
        rung = run.current_rung
        if rung is None:
            raise ValueError("a run without a step has no effects")
        repeated = not fresh and effect.id not in self._turned_away
        self._turned_away.discard(effect.id)
        errand = Errand(run, rung, effect, repeated)
        try:
            sighting = await performer.perform(errand, self._tools)
        except _FOR_GOOD as error:
            sighting = Sighting(EffectOutcome.FAILED, message=str(error))
        except ApiError as error:
            if isinstance(error, Busy):
                self._turned_away.add(effect.id)
            self._refuse(run, error)
            return Sighting()
        self._refused.pop(run.meta.uid, None)
        return sighting

    def _refuse(self, run: Run, error: ApiError) -> None:
        """The effect was not done, or it is unknown whether it was: say why, and look again before it is repeated."""
        now = self._clock.now()
        if isinstance(error, Busy) and error.budget:
            refusal = Refusal(Reason.POD_DISRUPTION_BUDGET, str(error), now + _BUDGET_RETRY)
        elif isinstance(error, Busy):
            wait = timedelta(seconds=error.retry_after) if error.retry_after else _FLOW_RETRY
            refusal = Refusal(Reason.API_UNAVAILABLE, str(error), now + wait)
        else:
            refusal = Refusal(Reason.API_UNAVAILABLE, f"no answer to the effect: {error}", now + _FLOW_RETRY)
        self._refused[run.meta.uid] = refusal
