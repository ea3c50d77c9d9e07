"""Reports of callers on `external` breakers: counted per reporter, written seldom, each reporter's entry for itself.

The counts in a breaker are the truth, so that any replica of the API can go on with them. Documents are read and
written raw: what else a newer version writes into an entry stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.meta import format_time
from ultra_recovery.core.errors import ApiError, NotFound
from ultra_recovery.core.objects import AnyObject, Breaker, Key, Kind
from ultra_recovery.core.parsing import parse_time
from ultra_recovery.ports import Clock, Intents
from ultra_recovery.rest.cache import Cache
from ultra_recovery.rest.problems import Problem, ProblemType

log = logging.getLogger(__name__)

WRITE_PAUSE = 1.0
"""Seconds between two writes of one entry."""
REPEAT_AFTER = 30.0
"""Seconds after which an entry that is not healthy is written again, although it did not change."""
MOST_REPORTERS = 64
_MOST_COUNT = 1_000_000
_MAX_NAME = 63
OUTCOMES = {"success": "Success", "failure": "Failure", "neutral": "Neutral"}


@dataclass(frozen=True, slots=True)
class Tally:
    """What one reporter said of one breaker.

    Attributes:
        written_at: boottime of the latest write; minus infinity before the first one.
        written: the tally as it was written last.
        due: it must be written.
    """

    name: str
    epoch: int
    failures: int
    successes: int
    outcome: str
    message: str
    changed_at: datetime
    reported_at: datetime
    written_at: float = float("-inf")
    written: Tally | None = None
    due: bool = True

    def entry(self) -> dict[str, Any]:
        """The entry of `status.reporters`."""
        return {
            "name": self.name,
            "epoch": self.epoch,
            "consecutiveFailures": self.failures,
            "consecutiveSuccesses": self.successes,
            "lastOutcome": self.outcome,
            **({"message": self.message} if self.message else {}),
            "changedAt": format_time(self.changed_at),
            "reportedAt": format_time(self.reported_at),
        }


def reporter_name(caller: str) -> str:
    """The name of a caller's entry: at most 63 characters that a field manager and a list key can hold."""
    plain = re.sub(r"[^a-z0-9]+", "-", caller.lower()).strip("-")
    if plain == caller and len(plain) <= _MAX_NAME:
        return plain
    digest = hashlib.sha256(caller.encode()).hexdigest()[:8]
    return f"{plain[: _MAX_NAME - 9].rstrip('-')}-{digest}".lstrip("-")


def entries_of(item: Breaker) -> list[Mapping[str, Any]]:
    """The entries of `status.reporters`."""
    found = json.loads(item.raw_status).get("reporters") or []
    return [entry for entry in found if isinstance(entry, dict) and entry.get("name")]


def is_external(item: Breaker) -> bool:
    """Whether a breaker is fed by reports."""
    return item.spec is not None and item.spec.target.kind == "external"


class Reporters:
    """Counts reports, and writes them."""

    def __init__(self, cache: Cache, intents: Intents, clock: Clock) -> None:
        self._cache, self._intents, self._clock = cache, intents, clock
        self._tallies: dict[tuple[Key, str], Tally] = {}
        cache.subscribe(self._changed)

    async def report(self, item: Breaker, name: str, outcome: str, count: int, message: str) -> Tally:
        """Count calls that ended in the same way, and write what must be known now.

        Raises:
            Problem: the breaker has too many reporters.
            ApiError: the write failed; nothing was counted.
        """
        slot = (item.meta.key, name)
        before = self._tallies.get(slot)
        now = self._clock.now()
        last = self._latest(item, name) or Tally(name, item.status.epoch, 0, 0, "", "", now, now, due=False)
        tally = self._counted(item.status.epoch, last, outcome, count, message)
        tally = replace(tally, due=tally.due or self._due(item, tally))
        self._tallies[slot] = tally
        if tally.due and self._clock.boottime() - tally.written_at >= WRITE_PAUSE:
            try:
                await self._write(slot, tally)
            except ApiError:
                self._restore(slot, before)
                raise
        return tally

    async def run(self) -> None:
        """Write, second by second, what could not be written at once; ends only by cancellation."""
        while True:
            await self._clock.sleep(WRITE_PAUSE)
            await self.flush()

    async def flush(self) -> None:
        """Write every entry that must be, and may be by now."""
        now = self._clock.boottime()
        for slot, tally in list(self._tallies.items()):
            if tally.due and now - tally.written_at >= WRITE_PAUSE:
                try:
                    await self._write(slot, tally)
                except NotFound:
                    self._tallies.pop(slot, None)
                except ApiError as error:
                    log.warning("could not report", extra={"breaker": str(slot[0]), "error": str(error)})

    def _latest(self, item: Breaker, name: str) -> Tally | None:
        """Our own tally, or what another process stored after it."""
        own = self._tallies.get((item.meta.key, name))
        entries = entries_of(item)
        stored = next((entry for entry in entries if entry["name"] == name), None)
        if stored is None:
            if own is None and len(entries) >= MOST_REPORTERS:
                detail = f"{item.meta.key.name} has {MOST_REPORTERS} reporters already: let callers share a token"
                raise Problem(ProblemType.TOO_MANY_REPORTERS, detail)
            return own
        told = _tally_of(stored)
        if own is None or (told is not None and told.reported_at > own.reported_at):
            return told
        return own

    def _counted(self, epoch: int, last: Tally, outcome: str, count: int, message: str) -> Tally:
        now = self._clock.now()
        if last.epoch != epoch:
            last = replace(last, epoch=epoch, failures=0, successes=0, outcome="")
        failures, successes = last.failures, last.successes
        if outcome == "Failure":
            failures, successes = min(_MOST_COUNT, failures + count), 0
        elif outcome == "Success":
            failures, successes = 0, min(_MOST_COUNT, successes + count)
        changed_at = last.changed_at if outcome == last.outcome else now
        return replace(
            last,
            failures=failures,
            successes=successes,
            outcome=outcome,
            message=message,
            changed_at=changed_at,
            reported_at=now,
        )

    def _due(self, item: Breaker, tally: Tally) -> bool:
        """Whether somebody must know of it: the engine, to decide, or readers, to see that we are still here."""
        last = tally.written
        if last is None or (last.epoch, last.outcome) != (tally.epoch, tally.outcome):
            return True
        spec, state = item.spec, item.status.state
        if spec is not None and state is BreakerState.CLOSED and tally.failures:
            return last.failures < spec.failure_threshold
        if spec is not None and state is BreakerState.HALF_OPEN and tally.successes:
            return last.successes < spec.success_threshold
        return tally.outcome != "Success" and tally.reported_at - last.reported_at >= timedelta(seconds=REPEAT_AFTER)

    async def _write(self, slot: tuple[Key, str], tally: Tally) -> None:
        # Before the request: what is reported while it is under way must be written once more.
        sent = replace(tally, written_at=self._clock.boottime(), written=replace(tally, written=None), due=False)
        self._tallies[slot] = sent
        try:
            document = await self._intents.apply_reporter(slot[0], tally.entry())
        except ApiError:
            self._restore(slot, replace(self._tallies.get(slot, sent), due=True))
            raise
        self._cache.feed(Kind.BREAKER, document, False)

    def _restore(self, slot: tuple[Key, str], tally: Tally | None) -> None:
        if tally is None:
            self._tallies.pop(slot, None)
        else:
            self._tallies[slot] = tally

    def _changed(self, key: Key, item: AnyObject | None) -> None:
        if key.kind is Kind.BREAKER and item is None:
            for slot in [slot for slot in self._tallies if slot[0] == key]:
                del self._tallies[slot]


def _tally_of(entry: Mapping[str, Any]) -> Tally | None:
    """A stored entry; None when it cannot be read."""
    try:
        changed_at, reported_at = parse_time(entry.get("changedAt")), parse_time(entry.get("reportedAt"))
        if changed_at is None or reported_at is None:
            return None
        tally = Tally(
            entry["name"],
            int(entry.get("epoch", 0)),
            int(entry.get("consecutiveFailures", 0)),
            int(entry.get("consecutiveSuccesses", 0)),
            str(entry.get("lastOutcome", "")),
            str(entry.get("message", "")),
            changed_at,
            reported_at,
            due=False,
        )
    except (TypeError, ValueError):
        return None
    return replace(tally, written=tally)
