"""The HTTP probe: one request to one checked address, with one deadline, and nothing of the answer kept."""

from __future__ import annotations

import asyncio

from ultra_recovery.adapters.http.request import MAX_BODY
from ultra_recovery.adapters.http.resolve import Resolver, Turns
from ultra_recovery.adapters.http.transport import FAULTS, Transport, explain
from ultra_recovery.apis.circuit_breaker import HttpTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock


class HttpProber:
    """Probes HTTP targets. Messages hold the status code and the time, never a byte of the answer."""

    def __init__(self, resolver: Resolver, transport: Transport, clock: Clock) -> None:
        self._resolver = resolver
        self._transport = transport
        self._clock = clock
        self._turns = Turns()

    async def probe(self, namespace: str, target: HttpTarget, within: float) -> ProbeResult:
        """Probe once; name resolution, connection and answer together have `within` seconds.

        Raises:
            SpecError: the target does not exist or is not allowed.
        """
        started = self._clock.now()
        try:
            async with asyncio.timeout(within):
                outcome, reason, message = await self._attempt(namespace, target)
        except FAULTS as error:
            outcome, reason, message = Outcome.FAILURE, Reason.PROBE_FAILED, explain(error, within)
        return ProbeResult(outcome, reason, message, started, self._clock.now())

    async def _attempt(self, namespace: str, target: HttpTarget) -> tuple[Outcome, Reason, str]:
        destination = await self._resolver.resolve(namespace, target)
        if destination.unseen:
            return Outcome.ERROR, Reason.PROBE_ERROR, destination.empty
        if not destination.addresses:
            return Outcome.FAILURE, Reason.PROBE_FAILED, destination.empty or "the name has no address"
        place = self._turns.next(namespace, destination)
        async with self._transport.request(target.method, destination, place, destination.path) as response:
            await response.content.read(MAX_BODY)
            code = response.status
        if code == 429:
            return Outcome.NEUTRAL, Reason.PROBE_NEUTRAL, "answered 429: asks for fewer requests"
        low, _, high = target.success_codes.partition("-")
        if int(low) <= code <= int(high or low):
            return Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, f"answered {code}"
        return Outcome.FAILURE, Reason.PROBE_FAILED, f"answered {code}, expected {target.success_codes}"
