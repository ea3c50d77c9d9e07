"""Faults of an API server as one client sees them: outages, lost answers, and the death of the client itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from ultra_recovery.core.errors import ApiError, Unavailable


class CrashError(BaseException):
    """The process died here. No handler of errors may catch it, hence no Exception."""


class Moment(StrEnum):
    """Whether a fault comes before the server has applied the request, or after it."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server saw it.

    Attributes:
        time: seconds on the clock's boottime.
        result: "ok", or the name of the error that the client got.
    """

    time: float
    verb: str
    kind: str
    namespace: str
    name: str
    mutating: bool
    result: str = "ok"


def _any(_: Request) -> bool:
    return True


@dataclass(slots=True)
class _Armed:
    rest: int
    moment: Moment
    error: Callable[[], BaseException]
    match: Callable[[Request], bool]
    fatal: bool


class Faults:
    """Switches of one client. Only mutating requests count for `fail_at` and `crash_at`, from 1."""

    def __init__(self) -> None:
        self.outage = False
        self.dead = False
        self._armed: list[_Armed] = []

    def fail_at(
        self,
        number: int,
        moment: Moment = Moment.BEFORE,
        error: Callable[[], ApiError] | None = None,
        match: Callable[[Request], bool] = _any,
    ) -> None:
        """Let the `number`-th mutating request from now that matches fail: by default with Unavailable."""
        self._armed.append(_Armed(number, moment, error or (lambda: Unavailable("injected")), match, fatal=False))

    def crash_at(self, number: int, moment: Moment = Moment.BEFORE, match: Callable[[Request], bool] = _any) -> None:
        """Let the client die at the `number`-th mutating request from now; all later requests raise CrashError too."""
        self._armed.append(_Armed(number, moment, lambda: CrashError(f"{moment} request"), match, fatal=True))

    def revive(self) -> None:
        """Start again after a crash, as a new process would."""
        self.dead = False
        self._armed.clear()

    @contextmanager
    def surround(self, request: Request) -> Iterator[None]:
        """Apply the faults that are due around the handling of one request."""
        if self.dead:
            raise CrashError("the process is dead")
        if self.outage:
            raise Unavailable("connection refused")
        due = self._due(request) if request.mutating else None
        if due is not None and due.moment is Moment.BEFORE:
            self._strike(due)
        try:
            yield
        finally:
            # The answer is lost, even if it was an error.
            if due is not None:
                self._strike(due)

    def _due(self, request: Request) -> _Armed | None:
        found = None
        for item in self._armed:
            if item.match(request):
                item.rest -= 1
                found = item if item.rest == 0 and found is None else found
        self._armed = [item for item in self._armed if item.rest > 0]
        return found

    def _strike(self, armed: _Armed) -> None:
        self.dead = self.dead or armed.fatal
        raise armed.error()
