"""A prober that says what a test has told it to say."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ultra_recovery.apis.circuit_breaker import BreakerTarget
from ultra_recovery.apis.database import PoolFigures
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock

_REASONS = {
    Outcome.SUCCESS: Reason.PROBE_SUCCEEDED,
    Outcome.FAILURE: Reason.PROBE_FAILED,
    Outcome.ERROR: Reason.PROBE_ERROR,
    Outcome.NEUTRAL: Reason.PROBE_NEUTRAL,
}


@dataclass(frozen=True, slots=True)
class ProbeCall:
    """One probe that was asked for; `time` is on the clock's boottime."""

    time: float
    namespace: str
    target: str


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: Outcome
    reason: Reason | None = None
    message: str = ""
    permanent: bool = False
    delay: float = 0.0
    figures: PoolFigures | None = None


def target_name(target: BreakerTarget) -> str:
    """The name by which a test knows a target: its Service, its address or its workload."""
    if target.workload is not None:
        return target.workload.name
    if target.tcp is not None:
        return target.tcp.service_ref.name if target.tcp.service_ref is not None else target.tcp.address or ""
    if target.server is not None:
        return target.server.service_ref.name if target.server.service_ref else target.server.address or ""
    web = target.http or target.prometheus
    if web is not None:
        return web.service_ref.name if web.service_ref is not None else web.url or ""
    return ""


class ScriptedProber:
    """Answers by the name of the target; a target nobody has spoken of succeeds at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: dict[str, _Answer] = {}
        self._next: dict[str, deque[_Answer]] = {}
        self.calls: list[ProbeCall] = []
        self.active = 0
        self.most_active = 0

    def set(
        self,
        target: str,
        outcome: Outcome,
        *,
        reason: Reason | None = None,
        message: str = "",
        permanent: bool = False,
        delay: float = 0.0,
        figures: PoolFigures | None = None,
    ) -> None:
        """From now on the target answers so, after `delay` seconds; a database with these figures."""
        self._standing[target] = _Answer(outcome, reason, message, permanent, delay, figures)

    def then(self, target: str, outcomes: Iterable[Outcome]) -> None:
        """The target's next answers, one probe each, before its standing answer holds again."""
        self._next.setdefault(target, deque()).extend(_Answer(outcome) for outcome in outcomes)

    async def probe(self, namespace: str, target: BreakerTarget, within: float, breaker: str = "") -> ProbeResult:
        """Answer as told; an answer later than `within` is a failure."""
        del breaker
        name, started = target_name(target), self._clock.now()
        self.calls.append(ProbeCall(self._clock.boottime(), namespace, name))
        queue = self._next.get(name)
        answer = queue.popleft() if queue else self._standing.get(name, _Answer(Outcome.SUCCESS))
        self.active += 1
        self.most_active = max(self.active, self.most_active)
        try:
            await self._clock.sleep(min(answer.delay, within))
        finally:
            self.active -= 1
        if answer.delay > within:
            answer = _Answer(Outcome.FAILURE, message=f"no answer within {within:g} s")
        return ProbeResult(
            answer.outcome,
            answer.reason or _REASONS[answer.outcome],
            answer.message or f"scripted {answer.outcome}",
            started,
            self._clock.now(),
            answer.permanent,
            answer.figures,
        )
