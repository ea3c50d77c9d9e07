"""The Prometheus probe: one instant query, each sample compared with a threshold.

Prometheus is not the target but the one who is asked about it. Whatever is wrong with the answer says nothing about the
target: that is an error, which never moves the breaker.
"""

from __future__ import annotations

import asyncio
import json
import operator
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import aiohttp

from ultra_recovery.adapters.http.request import MAX_BODY
from ultra_recovery.adapters.http.resolve import Resolver, Turns
from ultra_recovery.adapters.http.transport import FAULTS, Transport, explain
from ultra_recovery.apis.circuit_breaker import Comparison, PrometheusTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.ports import Clock

_API = "/api/v1/query"
# Compressed, an answer within the bound could unfold to any size.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
_BAD_QUERY = 400
_COMPARE: dict[Comparison, Callable[[Decimal, Decimal], bool]] = {
    Comparison.BELOW: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.ABOVE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}

Verdict = tuple[Outcome, Reason, str]


class PrometheusProber:
    """Probes by queries. Messages hold the status code and numbers of samples, never a byte of the answer."""

    def __init__(self, resolver: Resolver, transport: Transport, clock: Clock) -> None:
        self._resolver = resolver
        self._transport = transport
        self._clock = clock
        self._turns = Turns()

    async def probe(self, namespace: str, target: PrometheusTarget, within: float) -> ProbeResult:
        """Ask once; name resolution, connection and answer together have `within` seconds.

        Raises:
            SpecError: Prometheus does not exist as the spec says, is not allowed, or cannot read the query.
        """
        started = self._clock.now()
        try:
            async with asyncio.timeout(within):
                outcome, reason, message = await self._attempt(namespace, target)
        except FAULTS as error:
            outcome, reason, message = _unknown(f"Prometheus: {explain(error, within)}")
        return ProbeResult(outcome, reason, message, started, self._clock.now())

    async def _attempt(self, namespace: str, target: PrometheusTarget) -> Verdict:
        destination = await self._resolver.resolve(namespace, target, "spec.target.prometheus")
        if not destination.addresses:
            return _unknown(f"Prometheus: {destination.empty or 'the name has no address'}")
        path = f"{destination.path.rstrip('/')}{_API}?query={quote(target.query, safe='')}"
        place = self._turns.next(namespace, destination)
        async with self._transport.request("GET", destination, place, path, _HEADERS) as response:
            code, body = response.status, await _read(response)
        if code == _BAD_QUERY:
            raise SpecError(Reason.TARGET_INVALID, "spec.target.prometheus.query: Prometheus answered 400: bad query")
        if code != 200:
            return _unknown(f"Prometheus answered {code}")
        if body is None:
            return _unknown("Prometheus answered more than 64 KiB: aggregate, so that the query yields few samples")
        return judge(body, target)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; None when it is larger than MAX_BODY."""
    parts, size = [], 0
    async for part in response.content.iter_chunked(MAX_BODY):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            return None
    return b"".join(parts)


def judge(body: bytes, target: PrometheusTarget) -> Verdict:
    """What an answer says about the target."""
    try:
        samples = _samples(json.loads(body))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, InvalidOperation, RecursionError):
        return _unknown("Prometheus answered something that is no instant vector and no scalar")
    if not samples:
        return Outcome.ERROR, Reason.NO_DATA, "the query has no sample"
    if any(sample.is_nan() for sample in samples):
        return Outcome.ERROR, Reason.NO_DATA, "the query has a sample that is no number (NaN)"
    good, threshold = _COMPARE[target.comparison], Decimal(target.threshold)
    bad = sum(not good(sample, threshold) for sample in samples)
    if bad:
        message = f"{bad} of {len(samples)} samples not {target.comparison} {target.threshold}"
        return Outcome.FAILURE, Reason.PROBE_FAILED, message
    message = f"all samples ({len(samples)}) {target.comparison} {target.threshold}"
    return Outcome.SUCCESS, Reason.PROBE_SUCCEEDED, message


def _samples(answer: dict[str, Any]) -> list[Decimal]:
    """The values in an answer of the query API; any other form raises."""
    if answer["status"] != "success":
        raise ValueError("not a success")
    data = answer["data"]
    if data["resultType"] == "scalar":
        return [_number(data["result"])]
    if data["resultType"] != "vector":
        raise ValueError("neither vector nor scalar")
    return [_number(item["value"]) for item in data["result"]]


def _number(pair: object) -> Decimal:
    """The value of a sample: a pair of its time and its value as a text."""
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str):
        return Decimal(pair[1])
    raise TypeError("a sample is a list of a time and a text")


def _unknown(message: str) -> Verdict:
    return Outcome.ERROR, Reason.PROBE_ERROR, message
