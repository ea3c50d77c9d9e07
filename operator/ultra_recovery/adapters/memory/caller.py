"""A caller that answers what a test has told it to answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ultra_recovery.apis.endpoint import HttpEndpoint
from ultra_recovery.core.call import Call, CallOutcome, CallResult
from ultra_recovery.ports import Clock


@dataclass(frozen=True, slots=True)
class MadeCall:
    """One call that was made; `time` is on the clock's boottime."""

    time: float
    namespace: str
    endpoint: str
    call: Call


@dataclass(frozen=True, slots=True)
class _Answer:
    result: CallResult
    delay: float = 0.0


def endpoint_name(endpoint: HttpEndpoint) -> str:
    """The name by which a test knows an endpoint: its Service, or its URL."""
    return endpoint.service_ref.name if endpoint.service_ref is not None else endpoint.url or ""


class ScriptedCaller:
    """Answers by the name of the endpoint; one that nobody has spoken of does at once what it is asked.

    Attributes:
        calls: everything that was sent, in order.
        most_active: most calls that were under way at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: dict[str, _Answer] = {}
        self._next: dict[str, deque[_Answer]] = {}
        self._active = 0
        self.calls: list[MadeCall] = []
        self.most_active = 0

    def set(
        self, endpoint: str, outcome: CallOutcome, *, message: str = "", retry: bool = False, delay: float = 0.0
    ) -> None:
        """From now on the endpoint answers so, after `delay` seconds."""
        self._standing[endpoint] = _Answer(_result(outcome, message, retry), delay)

    def then(self, endpoint: str, outcomes: Iterable[CallOutcome], *, retry: bool = True) -> None:
        """The endpoint's next answers, one call each, before its standing answer holds again."""
        answers = (_Answer(_result(outcome, "", retry and outcome is not CallOutcome.DONE)) for outcome in outcomes)
        self._next.setdefault(endpoint, deque()).extend(answers)

    def made(self, endpoint: str) -> list[MadeCall]:
        """The calls of one endpoint."""
        return [call for call in self.calls if call.endpoint == endpoint]

    async def call(self, namespace: str, call: Call) -> CallResult:
        """Answer as told; an answer later than the call allows leaves open whether it was done."""
        name = endpoint_name(call.endpoint)
        self.calls.append(MadeCall(self._clock.boottime(), namespace, name, call))
        queue = self._next.get(name)
        usual = _Answer(_result(CallOutcome.DONE, "", retry=False))
        answer = queue.popleft() if queue else self._standing.get(name, usual)
        self._active += 1
        self.most_active = max(self._active, self.most_active)
        try:
            await self._clock.sleep(min(answer.delay, call.within))
        finally:
            self._active -= 1
        if answer.delay > call.within:
            return CallResult(CallOutcome.UNKNOWN, f"no answer within {call.within:g} s", retry=True)
        return answer.result


def _result(outcome: CallOutcome, message: str, retry: bool) -> CallResult:
    return CallResult(outcome, message or f"scripted {outcome}", retry)
