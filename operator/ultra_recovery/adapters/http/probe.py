"""The HTTP probe: one request to one checked address, with one deadline, and nothing of the answer kept."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict

import aiohttp

from ultra_recovery.adapters.http.address import Policy
from ultra_recovery.adapters.http.request import MAX_BODY, Turns, open_session, request
from ultra_recovery.adapters.http.resolve import Lookup, Resolver, look_up
from ultra_recovery.apis.circuit_breaker import HttpTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock, View

PER_NAMESPACE = 64
"""Probes at once in one namespace: slow targets of one tenant must not use up what others need."""


class HttpProber:
    """Probes HTTP targets.

    No redirects, no proxy, no cookies, no credentials, no connection kept: a pooled connection would hide a service
    that accepts no new ones. Messages hold the status code and the time, never a byte of the answer.
    """

    def __init__(self, view: View, policy: Policy, clock: Clock, user_agent: str, lookup: Lookup = look_up) -> None:
        self._resolver = Resolver(view, policy, lookup)
        self._clock = clock
        self._headers = {"User-Agent": user_agent, "Accept": "*/*"}
        self._turns = Turns()
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_NAMESPACE))
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def probe(self, namespace: str, target: HttpTarget, within: float) -> ProbeResult:
        """Probe once; name resolution, connection and answer together have `within` seconds.

        Raises:
            SpecError: the target does not exist or is not allowed.
        """
        async with self._slots[namespace]:
            started = self._clock.now()
            try:
                async with asyncio.timeout(within):
                    outcome, reason, message = await self._attempt(namespace, target)
            except TimeoutError:
                outcome, reason, message = Outcome.FAILURE, Reason.PROBE_FAILED, f"no answer within {within:g} s"
            except aiohttp.ClientSSLError:
                outcome, reason, message = Outcome.FAILURE, Reason.PROBE_FAILED, "TLS failed: certificate or protocol"
            except aiohttp.ClientConnectorError:
                outcome, reason, message = Outcome.FAILURE, Reason.PROBE_FAILED, "connection refused or not reachable"
            except (aiohttp.ClientError, ssl.SSLError, ValueError):
                # What the other side said is not repeated: it may hold anything.
                outcome, reason, message = Outcome.FAILURE, Reason.PROBE_FAILED, "no valid HTTP answer"
            except OSError:
                outcome, reason, message = Outcome.FAILURE, Reason.PROBE_FAILED, "the name cannot be resolved now"
            return ProbeResult(outcome, reason, message, started, self._clock.now())

    async def _attempt(self, namespace: str, target: HttpTarget) -> tuple[Outcome, Reason, str]:
        destination = await self._resolver.resolve(namespace, target)
        if destination.unseen:
            return Outcome.ERROR, Reason.PROBE_ERROR, destination.empty
        if not destination.addresses:
            return Outcome.FAILURE, Reason.PROBE_FAILED, destination.empty or "the name has no address"
        address = self._turns.take(namespace, destination)
        async with request(self._open(), target.method, destination, address, self._headers) as response:
            await response.content.read(MAX_BODY)
            code = response.status
        if code == 429:
            return Outcome.NEUTRAL, Reason.PROBE_NEUTRAL, "answered 429: asks for fewer requests"
        low, _, high = target.success_codes.partition("-")
        if int(low) <= code <= int(high or low):
            return Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, f"answered {code}"
        return Outcome.FAILURE, Reason.PROBE_FAILED, f"answered {code}, expected {target.success_codes}"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session()
        return self._session
