"""Which prober observes which kind of target."""

from __future__ import annotations

from typing import Protocol, TypeVar

from ultra_recovery.adapters.database.locator import DatabaseLocator
from ultra_recovery.adapters.database.probe import DatabaseProber
from ultra_recovery.adapters.http.address import Policy
from ultra_recovery.adapters.http.probe import HttpProber
from ultra_recovery.adapters.http.prometheus import PrometheusProber
from ultra_recovery.adapters.http.resolve import Resolver
from ultra_recovery.adapters.http.transport import Transport
from ultra_recovery.adapters.slots import Slots
from ultra_recovery.adapters.tcp import TcpProber
from ultra_recovery.adapters.workload import WorkloadProber
from ultra_recovery.apis.circuit_breaker import BreakerTarget, HttpTarget, PrometheusTarget, TcpTarget, WorkloadTarget
from ultra_recovery.apis.database import DatabaseTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.database_ports import Secrets
from ultra_recovery.ports import Clock, View

_TargetT_contra = TypeVar("_TargetT_contra", contravariant=True)


class Probe(Protocol[_TargetT_contra]):
    """Observes a target over the network. Raises SpecError for a target that cannot be probed."""

    async def probe(self, namespace: str, target: _TargetT_contra, within: float) -> ProbeResult:
        """Probe once, within so many seconds."""


class WorkloadProbe(Protocol):
    """Observes a workload. Raises SpecError for a target that cannot be probed."""

    def probe(self, namespace: str, target: WorkloadTarget) -> ProbeResult:
        """Probe once."""


class DatabaseProbe(Protocol):
    """Observes a database server. Raises SpecError for a target that cannot be probed."""

    async def probe(self, namespace: str, target: DatabaseTarget, within: float, breaker: str) -> ProbeResult:
        """Probe once, within so many seconds, for a breaker that the owners of its Secrets allow."""


class TargetProber:
    """Asks the prober of the target's kind; what is wrong with the target becomes an error result.

    Everything that goes over the network takes a place first. The time of waiting for one is not the target's.
    """

    def __init__(
        self,
        http: Probe[HttpTarget],
        tcp: Probe[TcpTarget],
        prometheus: Probe[PrometheusTarget],
        database: DatabaseProbe,
        workload: WorkloadProbe,
        slots: Slots,
        clock: Clock,
    ) -> None:
        self._http = http
        self._tcp = tcp
        self._prometheus = prometheus
        self._database = database
        self._workload = workload
        self._slots = slots
        self._clock = clock

    async def probe(self, namespace: str, target: BreakerTarget, within: float, breaker: str = "") -> ProbeResult:
        """Probe a target once."""
        try:
            if target.workload is not None:
                return self._workload.probe(namespace, target.workload)
            async with self._slots.place(namespace):
                return await self._ask(namespace, target, within, breaker)
        except SpecError as error:
            now = self._clock.now()
            return ProbeResult(Outcome.ERROR, error.reason, str(error), now, now, permanent=True)

    async def _ask(self, namespace: str, target: BreakerTarget, within: float, breaker: str) -> ProbeResult:
        if target.http is not None:
            return await self._http.probe(namespace, target.http, within)
        if target.tcp is not None:
            return await self._tcp.probe(namespace, target.tcp, within)
        if target.prometheus is not None:
            return await self._prometheus.probe(namespace, target.prometheus, within)
        if target.server is not None:
            return await self._database.probe(namespace, target.server, within, breaker)
        raise SpecError(Reason.INVALID_SPEC, "spec.target: this version of the operator does not know this kind")


def build_prober(view: View, policy: Policy, transport: Transport, secrets: Secrets, clock: Clock) -> TargetProber:
    """The prober of production: all kinds of targets behind one address policy and one set of places."""
    resolver = Resolver(view, policy)
    return TargetProber(
        HttpProber(resolver, transport, clock),
        TcpProber(resolver, clock),
        PrometheusProber(resolver, transport, clock),
        DatabaseProber(DatabaseLocator(view, policy, resolver, secrets), secrets, clock),
        WorkloadProber(view, clock),
        Slots(),
        clock,
    )
