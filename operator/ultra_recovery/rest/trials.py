"""Half-open trials of `external` breakers: one caller at a time may try, for a while."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.meta import format_time
from ultra_recovery.core.errors import Conflict
from ultra_recovery.core.objects import Breaker, Key, Kind
from ultra_recovery.core.parsing import parse, parse_time
from ultra_recovery.ports import Clock, Objects
from ultra_recovery.rest.answers import TrialAnswer
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.render import moment, service_name

TRIAL_SECONDS = 30
_ASK_AGAIN = timedelta(seconds=2)
_TRIES = 3


def trial_of(item: Breaker) -> Mapping[str, Any]:
    """`status.trial`, empty when nobody tries."""
    found = json.loads(item.raw_status).get("trial")
    return found if isinstance(found, dict) else {}


class Trials:
    """Hands out trials by compare-and-swap on the breaker's status, so that no two callers ever get one."""

    def __init__(self, cache: Cache, objects: Objects, clock: Clock) -> None:
        self._cache, self._objects, self._clock = cache, objects, clock

    async def ask(self, item: Breaker, caller: str, epoch: int | None) -> TrialAnswer:
        """Hand the trial to a caller, or say why not and when to ask again.

        Raises:
            NotFound: the breaker is gone.
            ApiError: the API server refused the write, or did not answer.
        """
        for _ in range(_TRIES):
            answer = self._without_writing(item, caller, epoch)
            if answer is not None:
                return answer
            until = self._clock.now() + timedelta(seconds=TRIAL_SECONDS)
            try:
                await self._write(item, {"holder": caller, "until": format_time(until)})
            except Conflict:
                item = await self._fresh(item.meta.key)
                continue
            return _answer(item, "Granted", granted=True, holder=caller, until=format_time(until))
        return self._later(item, "Contended")

    async def release(self, item: Breaker, caller: str) -> None:
        """End the caller's trial, if it is theirs. Under many writes it is left to expire.

        Raises:
            NotFound: the breaker is gone.
            ApiError: the API server did not answer.
        """
        latest = self._cache.table.get(item.meta.key)
        item = latest if isinstance(latest, Breaker) else item
        for _ in range(_TRIES):
            if trial_of(item).get("holder") != caller:
                return
            try:
                await self._write(item, None)
            except Conflict:
                item = await self._fresh(item.meta.key)
            else:
                return

    def _without_writing(self, item: Breaker, caller: str, epoch: int | None) -> TrialAnswer | None:
        """The answer where nothing must be written for it."""
        status, now = item.status, self._clock.now()
        if status.state is BreakerState.CLOSED:
            return _answer(item, "Closed", granted=True)
        if epoch is not None and epoch != status.epoch:
            return self._later(item, "EpochPassed")
        if status.state is not BreakerState.HALF_OPEN:
            at = status.trial_at
            retry = format_time(max(at, now + _ASK_AGAIN)) if at is not None else None
            return _answer(item, "Open", granted=False, retry_at=retry)
        trial = trial_of(item)
        until = parse_time(trial.get("until"))
        if until is not None and until > now and trial.get("holder") != caller:
            return _answer(item, "TrialTaken", granted=False, retry_at=moment(until))
        return None

    def _later(self, item: Breaker, reason: str) -> TrialAnswer:
        return _answer(item, reason, granted=False, retry_at=format_time(self._clock.now() + _ASK_AGAIN))

    async def _write(self, item: Breaker, trial: Mapping[str, Any] | None) -> None:
        before = json.loads(item.raw_status)
        after = {name: value for name, value in before.items() if name != "trial"}
        if trial is not None:
            after["trial"] = dict(trial)
        document = await self._objects.write_status(item.meta.key, after, before, item.meta.version)
        self._cache.feed(Kind.BREAKER, document, False)

    async def _fresh(self, key: Key) -> Breaker:
        item = parse(Kind.BREAKER, await self._objects.read_object(key))
        if not isinstance(item, Breaker):
            raise TypeError(f"{key} is no breaker")
        return item


def _answer(
    item: Breaker,
    reason: str,
    *,
    granted: bool,
    holder: str | None = None,
    until: str | None = None,
    retry_at: str | None = None,
) -> TrialAnswer:
    return TrialAnswer(
        service_name=service_name(item),
        granted=granted,
        reason=reason,
        state=item.status.state,
        epoch=item.status.epoch,
        holder=holder,
        until=until,
        retry_at=retry_at,
    )
