"""Which prober observes which kind of target."""

from __future__ import annotations

from typing import Protocol

from ultra_recovery.apis.circuit_breaker import BreakerTarget, HttpTarget, WorkloadTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock


class HttpProbe(Protocol):
    """Observes an HTTP target. Raises SpecError for a target that cannot be probed."""

    async def probe(self, namespace: str, target: HttpTarget, within: float) -> ProbeResult:
        """Probe once, within so many seconds."""


class WorkloadProbe(Protocol):
    """Observes a workload. Raises SpecError for a target that cannot be probed."""

    def probe(self, namespace: str, target: WorkloadTarget) -> ProbeResult:
        """Probe once."""


class TargetProber:
    """Asks the prober of the target's kind; what is wrong with the target becomes an error result."""

    def __init__(self, http: HttpProbe, workload: WorkloadProbe, clock: Clock) -> None:
        self._http = http
        self._workload = workload
        self._clock = clock

    async def probe(self, namespace: str, target: BreakerTarget, within: float) -> ProbeResult:
        """Probe a target once."""
        started = self._clock.now()
        try:
            if target.http is not None:
                return await self._http.probe(namespace, target.http, within)
            if target.workload is not None:
                return self._workload.probe(namespace, target.workload)
        except SpecError as error:
            return ProbeResult(Outcome.ERROR, error.reason, str(error), started, self._clock.now(), permanent=True)
        message = "spec.target: this version of the operator does not know this kind"
        return ProbeResult(Outcome.ERROR, Reason.INVALID_SPEC, message, started, self._clock.now(), permanent=True)
