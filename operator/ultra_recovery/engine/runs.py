"""Runs at work: asks core.run what comes next, writes it, does it, writes what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from ultra_recovery.actions.registry import Performer, find_action
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RecoveryRunStatus, RunPhase, StepState
from ultra_recovery.core.errors import ApiError, Conflict, Forbidden, NotFound, Rejected, TooManyRequests
from ultra_recovery.core.facts import Refusal
from ultra_recovery.core.objects import Key, Kind, Run
from ultra_recovery.core.run import advance
from ultra_recovery.core.run_record import record_outcome
from ultra_recovery.engine import run_notices as notices
from ultra_recovery.engine.breakers import Breakers
from ultra_recovery.engine.gather import Gatherer
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.queue import WorkQueue
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.target_lease import Claim, TargetLeases
from ultra_recovery.ports import Clock, Cluster

log = logging.getLogger(__name__)

_MAX_MOVES = 100
_BUDGET_RETRY = timedelta(seconds=2)
_FLOW_RETRY = timedelta(seconds=1)
_RELEASE_WINDOW = timedelta(hours=1)


class Runs:
    """Cares for all runs while this process leads."""

    def __init__(
        self,
        table: Table,
        gatherer: Gatherer,
        recorder: Recorder,
        leadership: Leadership,
        leases: TargetLeases,
        cluster: Cluster,
        breakers: Breakers,
        clock: Clock,
    ) -> None:
        self._table = table
        self._gatherer = gatherer
        self._recorder = recorder
        self._leadership = leadership
        self._leases = leases
        self._cluster = cluster
        self._breakers = breakers
        self._clock = clock
        self._refused: dict[str, Refusal] = {}
        self._released: set[str] = set()
        self.queue = WorkQueue("runs", self.look, clock)
        self.on_change: Callable[[Run], None] = _nobody

    def forget(self) -> None:
        """Forget what this process knew: another leader may have acted meanwhile."""
        self._refused.clear()
        self._released.clear()
        self._leases.forget()

    async def look(self, key: Key) -> float | None:
        """Carry a run as far as it goes now; seconds to the next look."""
        for _ in range(_MAX_MOVES):
            run = self._table.get(key)
            if not isinstance(run, Run):
                return None
            if run.completed:
                await self._clean_up(run)
                return None
            claim = await self._claim(run)
            facts = self._gatherer.run(run, self._leadership.check(), claim, self._refused.get(run.meta.uid))
            performer = self._performer(run)
            now = self._clock.now()
            answer = advance(facts, performer, now)
            if self._recorder.differs(run, answer.status):
                await self._write(run, answer.status)
            if answer.effect is not None and performer is not None:
                await self._perform(key, performer, answer.effect)
            elif answer.next_look is not None:
                return max((answer.next_look - now).total_seconds(), 0.02)
        log.error("a run does not come to rest", extra={"object": str(key)})
        return 1.0

    async def _claim(self, run: Run) -> Claim | None:
        """The target's Lease, wanted from the moment the run has a plan and this leader has claimed the run."""
        target = _target_key(run)
        if target is None or run.spec is None or run.status.leader_term != self._leadership.check():
            return None
        return await self._leases.claim(target, run.meta.uid, run.spec.policy_name)

    @staticmethod
    def _performer(run: Run) -> Performer | None:
        plan, steps = run.status.plan, run.status.steps
        return find_action(plan.ladder[len(steps) - 1].action) if plan is not None and steps else None

    async def _write(self, run: Run, status: RecoveryRunStatus) -> None:
        news = notices.of_run(run, status)
        stored = await self._recorder.write(run, status)
        for notice in news:
            self._recorder.tell(notice)
        if isinstance(stored, Run):
            self._watch_breakers(stored)
            if stored.status.phase != run.status.phase:
                self.on_change(stored)

    async def _perform(self, key: Key, performer: Performer, effect: EffectStatus) -> None:
        """Carry out one effect. Its intent is written; the fence is asked again right before it."""
        self._leadership.check()
        run = self._table.get(key)
        if not isinstance(run, Run):
            return
        outcome, message = EffectOutcome.EVICTED, None
        try:
            await performer.perform(key.namespace, effect, self._cluster)
        except NotFound:
            outcome = EffectOutcome.GONE
        except Conflict as error:
            outcome, message = EffectOutcome.GONE, str(error)
        except (Rejected, Forbidden) as error:
            outcome, message = EffectOutcome.FAILED, str(error)
        except ApiError as error:
            self._refuse(run, error)
            return
        self._refused.pop(run.meta.uid, None)
        stored = self._table.get(key)
        if isinstance(stored, Run):
            status = record_outcome(stored.status, effect.id, outcome, message, self._clock.now())
            await self._write(stored, status)

    def _refuse(self, run: Run, error: ApiError) -> None:
        """The effect was not done, or it is unknown whether it was: say why, and look again before it is repeated."""
        now = self._clock.now()
        if isinstance(error, TooManyRequests) and error.budget:
            refusal = Refusal(Reason.POD_DISRUPTION_BUDGET, str(error), now + _BUDGET_RETRY)
        elif isinstance(error, TooManyRequests):
            wait = timedelta(seconds=error.retry_after) if error.retry_after else _FLOW_RETRY
            refusal = Refusal(Reason.API_UNAVAILABLE, str(error), now + wait)
        else:
            refusal = Refusal(Reason.API_UNAVAILABLE, f"no answer to the eviction: {error}", now + _FLOW_RETRY)
        self._refused[run.meta.uid] = refusal

    def _watch_breakers(self, run: Run) -> None:
        """While a step acts or verifies, the breakers that fired are probed at trialInterval."""
        steps, plan = run.status.steps, run.status.plan
        state = steps[-1].state if steps else StepState.WAITING
        wanted = not run.completed and state in (StepState.ACTING, StepState.VERIFYING)
        for trigger in plan.triggers if plan else ():
            if trigger.circuit_open is not None:
                key = Key(Kind.BREAKER, run.meta.key.namespace, trigger.circuit_open.breaker)
                self._breakers.watch(key, run.meta.uid, wanted=wanted)
                if run.status.phase is RunPhase.SUCCEEDED:
                    self._breakers.recovery_verified(key)

    async def _clean_up(self, run: Run) -> None:
        """Give the target's Lease back; once in the life of this leader, also for runs that an earlier one ended."""
        if run.meta.uid in self._released:
            return
        target, ended = _target_key(run), run.status.finished_at
        if target is not None and ended is not None and self._clock.now() - ended < _RELEASE_WINDOW:
            await self._leases.release(target, run.meta.uid)
        self._released.add(run.meta.uid)
        self._refused.pop(run.meta.uid, None)


def _target_key(run: Run) -> Key | None:
    target = run.status.target
    return Key(Kind(target.kind), run.meta.key.namespace, target.name) if target is not None else None


def _nobody(run: Run) -> None:
    """Until somebody listens."""
