"""Leases on targets and dependencies: one run at a time works on each, whichever policy or leader it belongs to."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ultra_recovery.apis.meta import POLICY_LABEL
from ultra_recovery.core.errors import AlreadyExists, Conflict, NotFound
from ultra_recovery.core.naming import label_value, lease_name
from ultra_recovery.core.objects import Key
from ultra_recovery.ports import Clock, LeaseRecord, Leases

DURATION = timedelta(seconds=60)
RENEW_AFTER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a target's Lease: `held` by the asking run, or `holder` (a run's UID) by another."""

    held: bool
    holder: str = ""


class TargetLeases:
    """Takes, renews and gives back the Leases of targets. The holder is the run's UID: any leader may resume it."""

    def __init__(self, leases: Leases, clock: Clock) -> None:
        self._leases = leases
        self._clock = clock
        self._mine: dict[Key, LeaseRecord] = {}

    async def holder(self, target: Key) -> str:
        """The UID of the run that holds the target's Lease now, "" when it is free."""
        lease = await self._leases.read(target.namespace, lease_name(target))
        return lease.holder if lease is not None and self._is_alive(lease) else ""

    async def claim(self, target: Key, run_uid: str, policy: str) -> Claim:
        """Take the Lease for a run, or keep it. Costs a request only when it has to be taken or renewed."""
        mine = self._mine.get(target)
        now = self._clock.now()
        if mine is not None and mine.holder == run_uid and now - (mine.renewed_at or now) < RENEW_AFTER:
            return Claim(True)
        name = lease_name(target)
        lease = await self._leases.read(target.namespace, name)
        try:
            if lease is None:
                labels = {POLICY_LABEL: label_value(policy)}
                seconds = int(DURATION.total_seconds())
                wanted = LeaseRecord(target.namespace, name, run_uid, seconds, 1, now, now, labels=labels)
                self._mine[target] = await self._leases.create(wanted)
                return Claim(True)
            if lease.holder != run_uid and self._is_alive(lease):
                self._mine.pop(target, None)
                return Claim(False, lease.holder)
            self._mine[target] = await self._leases.replace(self._taken(lease, run_uid, now))
        except (AlreadyExists, Conflict, NotFound):
            return Claim(False, "another")
        return Claim(True)

    async def claim_all(self, keys: Sequence[Key], run_uid: str, policy: str) -> Claim:
        """Take several Leases, in sorted order, so that two runs never wait for each other."""
        for key in sorted(keys):
            claim = await self.claim(key, run_uid, policy)
            if not claim.held:
                return claim
        return Claim(True)

    def held_by(self, run_uid: str) -> list[Key]:
        """What this process holds for a run."""
        return [key for key, lease in self._mine.items() if lease.holder == run_uid]

    async def release(self, target: Key, run_uid: str) -> None:
        """Give the Lease back if the run holds it.

        Raises:
            Conflict: somebody wrote it since it was read: look again whose it is.
        """
        self._mine.pop(target, None)
        lease = await self._leases.read(target.namespace, lease_name(target))
        if lease is None or lease.holder != run_uid:
            return
        with contextlib.suppress(NotFound):
            await self._leases.delete(lease)

    def forget(self) -> None:
        """Forget what this process knew: another leader may have acted meanwhile."""
        self._mine.clear()

    def _taken(self, lease: LeaseRecord, run_uid: str, now: datetime) -> LeaseRecord:
        changed = lease.holder != run_uid
        return replace(
            lease,
            holder=run_uid,
            duration=int(DURATION.total_seconds()),
            transitions=lease.transitions + changed,
            acquired_at=now if changed else lease.acquired_at,
            renewed_at=now,
        )

    def _is_alive(self, lease: LeaseRecord) -> bool:
        renewed = lease.renewed_at
        return (
            bool(lease.holder)
            and renewed is not None
            and self._clock.now() - renewed < timedelta(seconds=lease.duration)
        )
