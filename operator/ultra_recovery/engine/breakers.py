"""Breakers at work: probes when they are due, applies the table, writes what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec
from ultra_recovery.apis.meta import RESET_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core import breaker
from ultra_recovery.core.breaker_state import (
    EVENT_OF,
    Event,
    Happening,
    Snapshot,
    Transition,
    first_snapshot,
    report_happenings,
)
from ultra_recovery.core.breaker_status import BreakerRecord, restore, shown_by, status_of
from ultra_recovery.core.cadence import next_probe_at
from ultra_recovery.core.objects import Breaker, Key, Kind
from ultra_recovery.core.override import differs, is_over, wanted_override
from ultra_recovery.core.pool_figures import essence
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.reports import read_reports
from ultra_recovery.core.resets import read_reset
from ultra_recovery.engine import breaker_notices as notices
from ultra_recovery.engine.attention import Attention
from ultra_recovery.engine.breaker_runtime import Runtime
from ultra_recovery.engine.breaker_writing import write_over_reports
from ultra_recovery.engine.queue import WorkQueue
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.spread import Spread
from ultra_recovery.engine.table import Table
from ultra_recovery.ports import Clock, Prober, Random

_ANEW = frozenset({Event.RESET, Event.TARGET_CHANGED, Event.OVERRIDE, Event.OVERRIDE_ENDED})
"""Events after which what is known of the target does not count any more, and it is probed at once."""


def _told(snapshot: Snapshot) -> tuple[object, ...]:
    """What signals are read from."""
    last = snapshot.last.outcome if snapshot.last is not None else None
    pool = (snapshot.last.reason, essence(snapshot.last.figures)) if snapshot.last is not None else None
    return snapshot.state, snapshot.epoch, snapshot.unconfirmed, snapshot.good_since, last, snapshot.override, pool


def _nobody(key: Key) -> None:
    """Until somebody listens."""


class Breakers:
    """Cares for all breakers while this process leads."""

    def __init__(self, table: Table, prober: Prober, recorder: Recorder, clock: Clock, random: Random) -> None:
        self._table = table
        self._prober = prober
        self._recorder = recorder
        self._clock = clock
        self._random = random
        self._runtimes: dict[Key, Runtime] = {}
        self._attention = Attention()
        self._verified: dict[Key, datetime] = {}
        self._probes: set[asyncio.Task[None]] = set()
        self._spread = Spread(random)
        self.queue = WorkQueue("breakers", self.look, clock)
        self.on_change: Callable[[Key], None] = _nobody

    def snapshot(self, namespace: str, name: str) -> Snapshot | None:
        """What is known and written of a breaker; None before the first visit."""
        key = Key(Kind.BREAKER, namespace, name)
        runtime = self._runtimes.get(key)
        published = runtime.published if runtime is not None else None
        if published is None or not self._is_proven(key, published):
            return published
        # It was proven well and is about to begin its trial: acting once more on what is still written would be wrong.
        return replace(published, state=BreakerState.HALF_OPEN)

    def watch(self, key: Key, run: str, *, wanted: bool) -> None:
        """Probe at trialInterval for as long as a run verifies against this breaker."""
        if self._attention.watch(key, run, wanted=wanted):
            self._hurry(key)

    def attend(self, policy: Key, names: AbstractSet[str]) -> None:
        """Probe at retryInterval, and tell of every probe, while a condition of the policy holds that figures show."""
        fresh = self._attention.attend(policy, {Key(Kind.BREAKER, policy.namespace, name) for name in names})
        for key in fresh:
            runtime = self._runtimes.get(key)
            spec = getattr(self._table.get(key), "spec", None)
            if runtime is not None and isinstance(spec, CircuitBreakerSpec):
                due = next_probe_at(runtime.snapshot, spec, runtime.probed_at, watched=False, attended=True)
                runtime.due = min(runtime.due, due)
                self.queue.add(key)

    def recovery_verified(self, key: Key, at: datetime) -> None:
        """A recovery was verified by fresh probes at this moment: a breaker that is Open since before begins its trial.

        May be told again, also by a later leader, and before this one has looked at the breaker: what counts is whether
        the breaker has moved since.
        """
        self._verified[key] = max(at, self._verified.get(key, at))
        self.queue.add(key)

    def _is_proven(self, key: Key, snapshot: Snapshot) -> bool:
        """Whether a recovery has proven well what this snapshot still calls Open."""
        at = self._verified.get(key)
        overridden = snapshot.override is not None
        return at is not None and snapshot.state is BreakerState.OPEN and snapshot.since <= at and not overridden

    def forget(self) -> None:
        """Forget everything: another leader may have acted meanwhile; what counts is in the statuses."""
        for task in self._probes:
            task.cancel()
        self._runtimes.clear()
        self._attention.forget()
        self._verified.clear()

    def _hurry(self, key: Key) -> None:
        runtime = self._runtimes.get(key)
        if runtime is not None:
            runtime.due = min(runtime.due, self._clock.now())
            self.queue.add(key)

    async def look(self, key: Key) -> float | None:
        """Apply what happened to a breaker, probe if it is due, write what changed; seconds to the next look.

        Raises:
            NotLeader: this process may not act now.
            ApiError: the status could not be written.
        """
        item = self._table.get(key)
        if not isinstance(item, Breaker) or item.meta.deleting:
            self._runtimes.pop(key, None)
            self._verified.pop(key, None)
            return None
        now = self._clock.now()
        if item.spec is None:
            await self._refuse(item, now)
            return None
        runtime = self._runtime(item, item.spec, now)
        self._apply(runtime, item, item.spec, now)
        if runtime.snapshot.probed and runtime.due <= now and not runtime.probing:
            self._recorder.check()
            self._send_probe(key, item.spec, runtime)
            watched, attended = self._attention.watched(key), self._attention.attended(key)
            due = next_probe_at(runtime.snapshot, item.spec, now, watched=watched, attended=attended)
            runtime.due = runtime.settle(due, now)
        rest = await self._write(item, item.spec, runtime, now)
        moment = runtime.next_moment(rest)
        return max((moment - now).total_seconds(), 0.01) if moment is not None else None

    def _runtime(self, item: Breaker, spec: CircuitBreakerSpec, now: datetime) -> Runtime:
        known = self._runtimes.get(item.meta.key)
        if known is not None and known.uid == item.meta.uid:
            return known
        unknown = self._table.count(Kind.BREAKER) - len(self._runtimes)
        slot = self._spread.next(unknown, spec.probe.interval.total_seconds(), self._clock.boottime())
        fresh = self._runtimes[item.meta.key] = Runtime.begin(item, spec, now, slot)
        return fresh

    def _apply(self, runtime: Runtime, item: Breaker, spec: CircuitBreakerSpec, now: datetime) -> None:
        """Everything that happened since the last look, in order: changes of the object, then results, then time."""
        if runtime.snapshot.external is not (spec.target.external is not None):
            runtime.snapshot = replace(runtime.snapshot, external=spec.target.external is not None)
        self._apply_override(runtime, item, spec, now)
        digest = runtime.digest_of(spec.target)
        runtime.target = spec.target
        if digest != runtime.digest:
            runtime.digest = digest
            self._step(runtime, item, spec, Happening(Event.TARGET_CHANGED), now)
        request = read_reset(item.meta.annotations.get(RESET_ANNOTATION), runtime.handled, first_visit=not item.visited)
        runtime.handled = request.handled
        if request.fire:
            self._step(runtime, item, spec, Happening(Event.RESET), now)
        results, runtime.results = runtime.results, []
        for happening in results:
            self._step(runtime, item, spec, happening, now)
        if self._is_proven(item.meta.key, runtime.snapshot):
            self._step(runtime, item, spec, Happening(Event.RECOVERY_VERIFIED), now)
        self._hear(runtime, item, spec, now)
        deadline = runtime.snapshot.trial_ends_at
        if deadline is not None and now >= deadline:
            self._step(runtime, item, spec, Happening(Event.TRIAL_TIMEOUT, jitter=self._random.random()), now)

    def _hear(self, runtime: Runtime, item: Breaker, spec: CircuitBreakerSpec, now: datetime) -> None:
        """What callers of an external target report, each time as a whole: a lost event of the watch loses nothing."""
        reporters = item.status.reporters or ()
        for happening in report_happenings(reporters, runtime.snapshot, now, self._random.random()):
            self._step(runtime, item, spec, happening, now)
        counted = read_reports(reporters, runtime.snapshot.epoch, now) if runtime.snapshot.reported else None
        runtime.silent_at = counted.silent_at if counted is not None else None

    def _apply_override(self, runtime: Runtime, item: Breaker, spec: CircuitBreakerSpec, now: datetime) -> None:
        """Begin, change or end an override. What is in force stands in the status: this may happen late, not twice."""
        wanted, current = wanted_override(spec.override, now), runtime.snapshot.override
        if differs(current, wanted):
            event = Event.OVERRIDE if wanted is not None else Event.OVERRIDE_ENDED
            self._step(runtime, item, spec, Happening(event, override=wanted), now)
        elif is_over(spec.override, now) and item.meta.generation != item.status.observed_generation:
            notice = notices.of_late_override(item)
            if notice not in runtime.notices:
                runtime.notices.append(notice)

    def _step(
        self, runtime: Runtime, item: Breaker, spec: CircuitBreakerSpec, happening: Happening, now: datetime
    ) -> None:
        transition = breaker.step(runtime.snapshot, happening, spec, now)
        runtime.snapshot = transition.after
        if happening.result is not None and not transition.dropped:
            self._take_result(runtime, item, happening.result)
        runtime.notices += notices.of_step(item, transition)
        if transition.moved:
            self._reschedule(runtime, spec, transition, now)

    def _take_result(self, runtime: Runtime, item: Breaker, result: ProbeResult) -> None:
        before = runtime.stalled
        bad = result.outcome is Outcome.ERROR
        runtime.stalled = (result.reason, result.message) if bad else None
        if bad and (before is None or before[0] is not result.reason):
            runtime.notices.append(notices.of_problem(item, result.reason, result.message))
        elif not bad and before is not None:
            runtime.notices.append(notices.of_enforcement(item))

    def _reschedule(self, runtime: Runtime, spec: CircuitBreakerSpec, transition: Transition, now: datetime) -> None:
        """A new epoch has a rhythm of its own; after a reset and the like the target is probed at once."""
        if transition.event in _ANEW:
            runtime.due = now
            runtime.stalled = None
        else:
            runtime.due = next_probe_at(runtime.snapshot, spec, runtime.probed_at, watched=False)

    def _send_probe(self, key: Key, spec: CircuitBreakerSpec, runtime: Runtime) -> None:
        """Probe in the background: a target that does not answer holds back neither a reset nor another breaker."""
        epoch = runtime.snapshot.epoch
        runtime.probing_epoch = epoch
        runtime.probed_at = self._clock.now()
        task = asyncio.ensure_future(self._probe(key, spec, runtime, epoch))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probe(self, key: Key, spec: CircuitBreakerSpec, runtime: Runtime, epoch: int) -> None:
        within = spec.probe.timeout.total_seconds()
        try:
            result = await self._prober.probe(key.namespace, spec.target, within, key.name)
            runtime.results.append(Happening(EVENT_OF[result.outcome], epoch, result, self._random.random()))
            self._recorder.tell(notices.of_probe(key, runtime.uid, spec, result))
        finally:
            if runtime.probing_epoch == epoch:
                runtime.probing_epoch = None
            self.queue.add(key)

    async def _write(self, item: Breaker, spec: CircuitBreakerSpec, runtime: Runtime, now: datetime) -> datetime | None:
        """Write the status if it differs, unless it is held back: then until when."""
        record = BreakerRecord(item.meta.generation, runtime.handled, runtime.stalled, runtime.due)
        snapshot, pending = runtime.snapshot, runtime.notices
        shown = shown_by(snapshot, record)
        level = spec.window is None and runtime.is_level(item, shown)
        status = item.status if level else status_of(snapshot, spec, record, item.status, now)
        if not level and self._recorder.differs(item, status):
            rest = runtime.hold_back(status, item.status, now)
            if rest is not None:
                self._publish(item.meta.key, runtime, snapshot)
                return rest
            item = await write_over_reports(
                self._recorder, item, lambda old: status_of(snapshot, spec, record, old, now)
            )
            runtime.wrote(status, item.status, now)
        elif not level:
            runtime.level = (item, shown)
        if pending:
            runtime.notices = [notice for notice in runtime.notices if notice not in pending]
        self._publish(item.meta.key, runtime, snapshot)
        for notice in pending:
            self._recorder.tell(notice)
        return None

    def _publish(self, key: Key, runtime: Runtime, snapshot: Snapshot) -> None:
        before, runtime.published = runtime.published, snapshot
        # Policies need not look again at every probe of a healthy target; a run that verifies must.
        heard = self._attention.watched(key) or self._attention.attended(key)
        if before is None or heard or (before is not snapshot and _told(before) != _told(snapshot)):
            self.on_change(key)

    async def _refuse(self, item: Breaker, now: datetime) -> None:
        """The spec cannot be read: nothing is probed, and the object says why."""
        snapshot = restore(item.status, now) or first_snapshot(now)
        stalled = (Reason.INVALID_SPEC, item.problem)
        record = BreakerRecord(item.meta.generation, item.status.handled_resets or (), stalled)
        status = status_of(snapshot, None, record, item.status, now)
        self._runtimes.pop(item.meta.key, None)
        if self._recorder.differs(item, status):
            await self._recorder.write(item, status)
            self._recorder.tell(notices.of_problem(item, *stalled))
