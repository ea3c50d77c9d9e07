"""Probes a workload by its own readiness, from the table: costs no request."""

from __future__ import annotations

from ultra_recovery.apis.circuit_breaker import WorkloadTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.health import share_of
from ultra_recovery.core.objects import Key, Kind, Workload
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock, View


class WorkloadProber:
    """Success when enough replicas are Ready. Scaled to zero is a failure: nobody is there to answer a caller."""

    def __init__(self, view: View, clock: Clock) -> None:
        self._view = view
        self._clock = clock

    def probe(self, namespace: str, target: WorkloadTarget) -> ProbeResult:
        """Judge the workload.

        Raises:
            SpecError: it does not exist.
        """
        now = self._clock.now()
        workload = self._view.get(Key(Kind(target.kind), namespace, target.name))
        if not isinstance(workload, Workload):
            message = f"{target.kind} {target.name} does not exist in namespace {namespace}"
            raise SpecError(Reason.TARGET_NOT_FOUND, message)
        needed = max(1, share_of(target.min_ready, workload.replicas))
        message = f"{workload.ready} of {workload.replicas} replicas are Ready, {needed} needed"
        if workload.ready >= needed and workload.replicas > 0:
            return ProbeResult(Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, message, now, now)
        return ProbeResult(Outcome.FAILURE, Reason.PROBE_FAILED, message, now, now)
