"""What the engine holds of one breaker while this process leads, and how often it writes that down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ultra_recovery.apis.circuit_breaker import BreakerTarget, CircuitBreakerSpec, CircuitBreakerStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_state import Happening, Snapshot, first_snapshot, resume_trial
from ultra_recovery.core.breaker_status import enforcement_differs, is_urgent, restore
from ultra_recovery.core.naming import target_digest
from ultra_recovery.core.notices import Notice
from ultra_recovery.core.objects import Breaker
from ultra_recovery.engine.spread import Slot

WRITE_INTERVAL = timedelta(seconds=10)
"""Counters, messages and the health of the target are written at most once in this time; transitions at once."""


@dataclass(slots=True)
class Runtime:
    """What the engine holds of one breaker.

    Attributes:
        target: what `digest` was made of.
        level: an object and what was to be shown when its status was found to show it all.
        published: what has been written; the rest of the engine sees that.
        due: when the next probe is due.
        second: when the second probe after a start is due, if it comes earlier than the first one asks for.
        written_at: when the status was written last.
        enforced_at: when a change of Ready or Stalled was written last.
        probing_epoch: the epoch that a probe on its way was sent for.
        silent_at: when the first of the reports that count falls silent; of an external target only.
        results: what happened since the last look.
        notices: what is told once it is written.
    """

    uid: str
    snapshot: Snapshot
    published: Snapshot | None
    due: datetime
    probed_at: datetime
    handled: tuple[str, ...]
    digest: str
    second: datetime | None = None
    target: BreakerTarget | None = None
    level: tuple[Breaker, tuple[object, ...]] | None = None
    written_at: datetime | None = None
    enforced_at: datetime | None = None
    stalled: tuple[Reason, str] | None = None
    probing_epoch: int | None = None
    silent_at: datetime | None = None
    results: list[Happening] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @classmethod
    def begin(cls, item: Breaker, spec: CircuitBreakerSpec, now: datetime, slot: Slot) -> Runtime:
        """Take up a breaker as its status tells of it; its first probes are due as `slot` says."""
        restored = restore(item.status, now)
        if restored is not None:
            restored = resume_trial(restored, spec, now)
        return cls(
            uid=item.meta.uid,
            snapshot=restored or first_snapshot(now),
            published=restored,
            due=now + spec.probe.interval * slot.first,
            second=now + spec.probe.interval * slot.second if slot.second is not None else None,
            probed_at=now,
            handled=tuple(item.status.handled_resets or ()),
            digest=item.status.target_digest or target_digest(spec.target),
        )

    def settle(self, due: datetime, now: datetime) -> datetime:
        """When the probe after the one that is sent now is due: the second one finds its place in the interval."""
        second, self.second = self.second, None
        return second if second is not None and now < second < due else due

    @property
    def probing(self) -> bool:
        """Whether a probe of the present epoch is on its way."""
        return self.probing_epoch == self.snapshot.epoch

    def digest_of(self, target: BreakerTarget) -> str:
        """The digest of a target; computed anew only when the object was read anew."""
        if target is self.target:
            return self.digest
        return target_digest(target)

    def is_level(self, item: Breaker, shown: tuple[object, ...]) -> bool:
        """Whether this very object is known to show all that is to be shown."""
        return self.level is not None and self.level[0] is item and self.level[1] == shown

    def next_moment(self, rest: datetime | None) -> datetime | None:
        """When to look again: for a probe, a trial, a silence, the end of an override, or what was held back.

        A probe on its way makes its own look when it ends; until then none is due.
        """
        override, snapshot = self.snapshot.override, self.snapshot
        moments = [
            self.due if snapshot.probed and not self.probing else None,
            rest,
            snapshot.trial_ends_at,
            snapshot.trial_begins_at,
            self.silent_at,
            override.until if override is not None else None,
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    def hold_back(self, status: CircuitBreakerStatus, old: CircuitBreakerStatus, now: datetime) -> datetime | None:
        """Until when a status that differs from the old one is not written; None: write it now.

        A breaker that stays in its state is written at most once in WRITE_INTERVAL. While a probe is on its way its
        result is waited for, so that the time of the next probe and the result of this one make one write. Whether
        the object can be enforced is told at once, but not more often either.
        """
        if is_urgent(status, old):
            return None
        if enforcement_differs(status, old):
            last, probing = self.enforced_at, False
        else:
            last, probing = self.written_at, self.probing
        allowed = last + WRITE_INTERVAL if last is not None else now
        if now < allowed:
            return allowed
        return now + WRITE_INTERVAL if probing else None

    def wrote(self, status: CircuitBreakerStatus, old: CircuitBreakerStatus, now: datetime) -> None:
        """Note that a status was written."""
        self.written_at = now
        if enforcement_differs(status, old):
            self.enforced_at = now
