"""Leader election on a Lease, and the fence that every effect passes.

Lease duration 15 s, renew deadline 10 s, retry 2 s, as in Kubernetes' own components. Another holder seen: everything
is cancelled and the process exits. Renew deadline passed without an answer, or slept through: probes and effects stop,
and the process looks who leads: nobody else, then it stays and tries to lead again with a new term. A leader that was
stopped releases the Lease, so that the next need not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from ultra_recovery.core.errors import AlreadyExists, ApiError, Conflict, NotFound, NotLeader
from ultra_recovery.core.naming import LEADER_LEASE
from ultra_recovery.ports import Clock, LeaseRecord, Leases

log = logging.getLogger(__name__)

LEASE_DURATION = 15
RENEW_DEADLINE = 10.0
RETRY = 2.0
CALL_LIMIT = 2.0


class LostToAnotherError(NotLeader):
    """Another process holds the leader's Lease: this one must end."""


class Leadership:
    """Whether this process leads, since when, and in which term. Deadlines are on a clock that never jumps."""

    def __init__(self, leases: Leases, clock: Clock, namespace: str, identity: str) -> None:
        self._leases = leases
        self._clock = clock
        self._namespace = namespace
        self._identity = identity
        self._held: LeaseRecord | None = None
        self._renewed_at = float("-inf")
        self._seen = ""
        self._expires_at = float("-inf")
        self._in_doubt = False

    @property
    def term(self) -> int | None:
        """The term in which this process leads, None while it does not."""
        return self._held.transitions if self._held is not None and self._fresh() else None

    @property
    def acts_past_lease(self) -> bool:
        """Whether this process believes to lead although its Lease has run out: then it must be restarted."""
        return self._held is not None and self._clock.boottime() - self._renewed_at > LEASE_DURATION

    def check(self) -> int:
        """The term, if this process may act now.

        Raises:
            NotLeader: it does not lead, or the last renewal is too long ago to be sure.
        """
        term = self.term
        if term is None:
            raise NotLeader("not the leader, or the Lease was not renewed in time")
        return term

    def _fresh(self) -> bool:
        return self._clock.boottime() - self._renewed_at < RENEW_DEADLINE

    async def run(self, lead: Callable[[int], Awaitable[None]]) -> None:
        """Try to lead for ever; while leading, `lead(term)` runs and is cancelled when leading ends.

        Raises:
            LostToAnotherError: another process took the Lease while this one led.
        """
        while True:
            await self._acquire()
            term = self.check()
            log.info("leading", extra={"term": term, "identity": self._identity})
            await self._lead(lead, term)
            log.warning("not leading any more", extra={"term": term})
            await self._end_if_another_leads(term)

    async def release(self) -> None:
        """Give the Lease back, so that another replica leads at once."""
        held, self._held = self._held, None
        if held is None and not self._in_doubt:
            return
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(CALL_LIMIT):
                await self._give_back(held)

    async def _give_back(self, held: LeaseRecord | None) -> None:
        """Free the Lease. A renewal that was cut off may have come through: then it has another version."""
        if held is not None:
            with contextlib.suppress(Conflict):
                await self._free(held)
                return
        current = await self._leases.read(self._namespace, LEADER_LEASE)
        if current is not None and current.holder == self._identity:
            await self._free(current)

    async def _free(self, lease: LeaseRecord) -> None:
        await self._leases.replace(replace(lease, holder="", duration=1, renewed_at=self._clock.now()))

    async def _lead(self, lead: Callable[[int], Awaitable[None]], term: int) -> None:
        work = asyncio.ensure_future(lead(term))
        renewal = asyncio.ensure_future(self._renew_until_lost())
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, renewal):
                task.cancel()
            results = await asyncio.gather(work, renewal, return_exceptions=True)
        self._held = None if not self._fresh() else self._held
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _renew_until_lost(self) -> None:
        """Renew until the deadline passes without an answer. Who slept through it does not renew: others may lead."""
        while (left := self._renewed_at + RENEW_DEADLINE - self._clock.boottime()) > 0:
            await self._clock.sleep(min(RETRY, left))
            if self._fresh():
                await self._renew()

    async def _renew(self) -> None:
        held = self._held
        if held is None:
            return
        asked_at = self._clock.boottime()
        try:
            async with asyncio.timeout(min(CALL_LIMIT, self._renewed_at + RENEW_DEADLINE - asked_at)):
                self._held = await self._leases.replace(replace(held, renewed_at=self._clock.now()))
        except (Conflict, NotFound):
            await self._look_who_leads(held)
        except (ApiError, TimeoutError) as error:
            log.warning("could not renew the leader's Lease", extra={"error": str(error) or type(error).__name__})
        else:
            self._renewed_at = asked_at

    async def _look_who_leads(self, held: LeaseRecord) -> None:
        """Our write was refused. Somebody only touched the object, or somebody else leads."""
        with contextlib.suppress(ApiError, TimeoutError):
            current = await self._read()
            if current is None or not self._is_ours(current, held.transitions):
                self._held = None
                raise LostToAnotherError(f"the leader's Lease is held by {current.holder if current else 'nobody'}")
            self._held = current

    async def _end_if_another_leads(self, term: int) -> None:
        """We stopped in time, or slept through our time. If another leads by now this process starts from nothing."""
        with contextlib.suppress(ApiError, TimeoutError):
            current = await self._read()
            if current is not None and current.holder and not self._is_ours(current, term):
                raise LostToAnotherError(f"the leader's Lease was taken by {current.holder} meanwhile")

    async def _read(self) -> LeaseRecord | None:
        async with asyncio.timeout(CALL_LIMIT):
            return await self._leases.read(self._namespace, LEADER_LEASE)

    def _is_ours(self, lease: LeaseRecord, term: int) -> bool:
        """Whether it is the Lease that this process took: another one of our name has taken it in another term."""
        return lease.holder == self._identity and lease.transitions == term

    async def _acquire(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CALL_LIMIT):
                    if await self._try():
                        return
            except (ApiError, TimeoutError) as error:
                log.warning("could not try for the leader's Lease", extra={"error": str(error) or "timeout"})
            await self._clock.sleep(self._until_next_try())

    def _until_next_try(self) -> float:
        """The usual pause, or what is left of the holder's time: a dead leader is replaced on the second."""
        left = self._expires_at - self._clock.boottime()
        return min(RETRY, left) if left > 0 else RETRY

    async def _try(self) -> bool:
        asked_at, now = self._clock.boottime(), self._clock.now()
        current = await self._leases.read(self._namespace, LEADER_LEASE)
        if current is not None and not self._is_free(current):
            return False
        self._in_doubt = True
        try:
            self._held = await self._take(current, now)
        except (Conflict, AlreadyExists, NotFound):
            self._in_doubt = False
            return False
        self._in_doubt = False
        self._renewed_at = asked_at
        return True

    async def _take(self, current: LeaseRecord | None, now: datetime) -> LeaseRecord:
        if current is None:
            fresh = LeaseRecord(self._namespace, LEADER_LEASE, self._identity, LEASE_DURATION, 1, now, now)
            return await self._leases.create(fresh)
        return await self._leases.replace(
            replace(
                current,
                holder=self._identity,
                duration=LEASE_DURATION,
                transitions=current.transitions + 1,
                acquired_at=now,
                renewed_at=now,
            )
        )

    def _is_free(self, lease: LeaseRecord) -> bool:
        """Released, ours from an earlier life, or not renewed for its duration as this process saw it.

        The time written in the Lease is another machine's; only the time during which it did not change counts.
        """
        if lease.holder in ("", self._identity):
            return True
        now = self._clock.boottime()
        if lease.version != self._seen:
            self._seen = lease.version
            self._expires_at = now + lease.duration
            return False
        return now >= self._expires_at
