"""Runs at work: asks core.run what comes next, writes it, does it, writes what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ultra_recovery.actions.performer import Performer
from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.run_status import EffectStatus, RecoveryRunStatus, RunPhase, StepState
from ultra_recovery.core.effect_record import record_outcome
from ultra_recovery.core.objects import Key, Kind, Policy, Run
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.run import Advance, advance
from ultra_recovery.core.run_size import bounded
from ultra_recovery.engine import run_notices as notices
from ultra_recovery.engine.breaker_watch import BreakerWatch
from ultra_recovery.engine.creators import FRESH, Creators
from ultra_recovery.engine.fresh_look import FreshLook
from ultra_recovery.engine.gather import Gatherer, Held
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.queue import WorkQueue
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.run_effects import RunEffects
from ultra_recovery.engine.run_leases import RunLeases
from ultra_recovery.engine.table import Table
from ultra_recovery.ports import Clock

log = logging.getLogger(__name__)

_MAX_MOVES = 100
_BEFORE_EFFECTS = (StepState.WAITING, StepState.ACTING)
_UNDER_WAY = 0.25
"""Seconds to the next look at an effect that somebody is at."""


class Runs:
    """Cares for all runs while this process leads."""

    def __init__(
        self,
        table: Table,
        gatherer: Gatherer,
        recorder: Recorder,
        leadership: Leadership,
        leases: RunLeases,
        creators: Creators,
        effects: RunEffects,
        watch: BreakerWatch,
        fresh: FreshLook,
        clock: Clock,
    ) -> None:
        self._table = table
        self._gatherer = gatherer
        self._recorder = recorder
        self._leadership = leadership
        self._leases = leases
        self._creators = creators
        self._effects = effects
        self._watch = watch
        self._fresh = fresh
        self._clock = clock
        self.queue = WorkQueue("runs", self.look, clock)
        self.on_change: Callable[[Run], None] = _nobody

    def forget(self) -> None:
        """Forget what this process knew: another leader may have acted meanwhile."""
        self._effects.forget()
        self._leases.forget()

    def recall(self) -> None:
        """Tell the breakers what completed runs have proven, before anything is decided by what is written of them."""
        for item in self._table.select(Kind.RUN):
            if isinstance(item, Run) and item.completed:
                self._watch.prove(item)

    async def look(self, key: Key) -> float | None:
        """Carry a run as far as it goes now; seconds to the next look."""
        wants_target = wants_breakers = False
        for _ in range(_MAX_MOVES):
            run = self._table.get(key)
            if not isinstance(run, Run):
                self._fresh.forget(key)
                return None
            if run.completed:
                self._fresh.forget(key)
                self._watch.prove(run)
                await self._leases.release(run)
                self._effects.forget(run.meta.uid)
                return None
            held = await self._ask(run, wants_target=wants_target, wants_breakers=wants_breakers)
            now = self._clock.now()
            answer = advance(self._gatherer.run(run, self._leadership.check(), held), find_action, now)
            wrote = await self._write(run, answer.status)
            if answer.effect is not None:
                delay = await self._perform(key, answer.effect, fresh=wrote)
                if delay is not None:
                    return delay
                continue
            if self._asks_more(answer, held):
                wants_target, wants_breakers = answer.wants_lease, answer.wants_breaker
                continue
            wants_target = wants_breakers = False
            if answer.next_look is not None:
                return max((answer.next_look - now).total_seconds(), 0.02)
            if not wrote:
                return None
        log.error("a run does not come to rest", extra={"object": str(key)})
        return 1.0

    @staticmethod
    def _asks_more(answer: Advance, held: Held) -> bool:
        """Whether a Lease is wanted that was not asked for yet."""
        return (answer.wants_lease and held.target is None) or (answer.wants_breaker and held.breakers is None)

    async def _ask(self, run: Run, *, wants_target: bool, wants_breakers: bool) -> Held:
        """What has to be asked of the world before anything is decided; nothing before this leader owns the run."""
        if run.status.leader_term != self._leadership.check():
            return Held()
        if run.status.phase is RunPhase.AWAITING_APPROVAL:
            await self._leases.pause(run)
            return Held()
        await self._fresh.take(run)
        creator = await self._review(run)
        return Held(
            creator=creator,
            target=await self._leases.target(run, wanted=wants_target),
            breakers=await self._leases.breakers(run, wanted=wants_breakers),
            refused=self._effects.refused(run),
            observations=await self._effects.observe(run),
        )

    async def _review(self, run: Run) -> Refusal | None:
        """Why who answers for the policy may not do the current step; before the start all of the ladder is asked."""
        namespace, plan, rung = run.meta.key.namespace, run.status.plan, run.current_rung
        if plan is not None and rung is not None:
            if run.status.steps[-1].state not in _BEFORE_EFFECTS:
                return None
            account = plan.service_account_name
            await self._creators.review(namespace, account, [rung], within=FRESH)
            return self._creators.verdict(namespace, account, [rung]).refusal
        policy = self._table.get(Key(Kind.POLICY, namespace, run.spec.policy_name)) if run.spec else None
        if isinstance(policy, Policy) and policy.spec is not None:
            await self._creators.review(namespace, policy.spec.service_account_name, policy.spec.ladder)
        return None

    async def _write(self, run: Run, status: RecoveryRunStatus) -> bool:
        """Write a status that differs; whether it did."""
        status = bounded(status)
        if not self._recorder.differs(run, status):
            return False
        policy = self._table.get(Key(Kind.POLICY, run.meta.key.namespace, run.spec.policy_name)) if run.spec else None
        news = notices.of_run(run, status, policy if isinstance(policy, Policy) else None)
        stored = await self._recorder.write(run, status)
        for notice in news:
            self._recorder.tell(notice)
        if isinstance(stored, Run):
            self._watch.follow(stored)
            if stored.status.phase != run.status.phase:
                self.on_change(stored)
        return True

    async def _perform(self, key: Key, effect: EffectStatus, *, fresh: bool) -> float | None:
        """Carry out one effect and write what came of it; seconds to the next look if that is not known yet."""
        run = self._table.get(key)
        performer = self._performer(run) if isinstance(run, Run) else None
        if not isinstance(run, Run) or performer is None:
            return None
        sighting = await self._effects.perform(run, performer, effect, fresh=fresh)
        if sighting.outcome is None:
            refused = self._effects.refused(run) is not None
            return None if refused else _UNDER_WAY
        stored = self._table.get(key)
        if isinstance(stored, Run):
            now = self._clock.now()
            status = record_outcome(stored.status, effect.id, sighting.outcome, sighting.message, now)
            await self._write(stored, status)
        return None

    @staticmethod
    def _performer(run: Run) -> Performer | None:
        rung = run.current_rung
        return find_action(rung.action) if rung is not None else None


def _nobody(run: Run) -> None:
    """Until somebody listens."""
