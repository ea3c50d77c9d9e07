"""The TCP probe: one connection to one checked address, closed at once, without a byte sent."""

from __future__ import annotations

import asyncio
import socket

from ultra_recovery.adapters.http.resolve import Place, Resolver, Turns
from ultra_recovery.apis.circuit_breaker import TcpTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock

Verdict = tuple[Outcome, Reason, str]


class TcpProber:
    """Probes TCP targets: success when the connection is established in time."""

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self._resolver = resolver
        self._clock = clock
        self._turns = Turns()

    async def probe(self, namespace: str, target: TcpTarget, within: float) -> ProbeResult:
        """Probe once; name resolution and connection together have `within` seconds.

        Raises:
            SpecError: the target does not exist or is not allowed.
        """
        started = self._clock.now()
        try:
            async with asyncio.timeout(within):
                outcome, reason, message = await self._attempt(namespace, target)
        except TimeoutError:
            outcome, reason, message = _failed(f"no connection within {within:g} s")
        return ProbeResult(outcome, reason, message, started, self._clock.now())

    async def _attempt(self, namespace: str, target: TcpTarget) -> Verdict:
        try:
            destination = await self._resolver.resolve_tcp(namespace, target)
        except TimeoutError:
            raise
        except OSError:
            return _failed("the name cannot be resolved now")
        if destination.unseen:
            return Outcome.ERROR, Reason.PROBE_ERROR, destination.empty
        if not destination.addresses:
            return _failed(destination.empty or "the name has no address")
        try:
            await _connect(self._turns.next(namespace, destination))
        except TimeoutError:
            raise
        except OSError:
            return _failed("connection refused or not reachable")
        return Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, "connection established"


def _failed(message: str) -> Verdict:
    return Outcome.FAILURE, Reason.PROBE_FAILED, message


async def _connect(place: Place) -> None:
    """Connect and close at once. The address is numeric: nothing is resolved again after the check."""
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, place)
