"""What every action of a database Job works with: the request, its ports, its deadline, and the notes it takes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.core.database_request import MAX_SESSIONS, DatabaseAnswer, DatabaseRequest, Session
from ultra_recovery.job_ports import Poolers, PoolHooks, Servers
from ultra_recovery.ports import Clock, Random


class JobFailed(Exception):  # noqa: N818 - what became of the Job, in its own field's words
    """The action could not be carried out; the sentence says why, and what to do."""


class NothingDone(Exception):  # noqa: N818 - as above
    """The action did not need to, or must not, change anything; the sentence says why."""


class AlreadyBegun(Exception):  # noqa: N818 - as above
    """An earlier pod of the same Job began to change something: whatever it did counts, and is not done again."""


@dataclass
class Notes:
    """What was found and done so far. An answer can be made of them at any moment."""

    changed: bool = False
    measures: list[str] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    offenders: dict[str, int] = field(default_factory=dict)
    before: PoolFigures | None = None
    after: PoolFigures | None = None

    def did(self, measure: str) -> None:
        """Something was changed, or may have been."""
        self.changed = True
        self.measures.append(measure)

    def saw(self, measure: str) -> None:
        """Something was found out; nothing was changed."""
        self.measures.append(measure)

    def answer(self, message: str) -> DatabaseAnswer:
        """The answer, as far as the work has got."""
        return DatabaseAnswer(
            changed=self.changed,
            message=message,
            before=self.before,
            after=self.after,
            sessions=self.sessions[:MAX_SESSIONS],
            more_sessions=max(len(self.sessions) - MAX_SESSIONS, 0),
            offenders=self.offenders,
            measures=self.measures,
        )


@dataclass
class Work:
    """One action under way.

    Attributes:
        until: boottime at which the work has to be over.
        stop: set when this pod has to go.
        begun: whether it is recorded on the server that this action changes something.
    """

    request: DatabaseRequest
    servers: Servers
    poolers: Poolers
    hooks: PoolHooks
    clock: Clock
    random: Random
    until: float
    notes: Notes = field(default_factory=Notes)
    begun: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def left(self) -> float:
        """Seconds until the work has to be over."""
        return max(self.until - self.clock.boottime(), 0.0)

    async def sleep_or_stop(self, seconds: float) -> None:
        """Wait, but not once this pod has to go."""
        if seconds <= 0:
            return
        sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, stopping):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
