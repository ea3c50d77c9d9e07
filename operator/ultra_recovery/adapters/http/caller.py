"""The port Caller: one request on a user's behalf, with a clear word on whether it may have had an effect."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import aiohttp

from ultra_recovery.adapters.fence import Fence, FencedRequest, fenced
from ultra_recovery.adapters.http.address import Policy
from ultra_recovery.adapters.http.request import MAX_BODY, open_session, request
from ultra_recovery.adapters.http.resolve import Lookup, Resolver, Turns, look_up
from ultra_recovery.core.call import Call, CallOutcome, CallResult
from ultra_recovery.core.errors import SpecError
from ultra_recovery.ports import Clock, View

if TYPE_CHECKING:
    from aiohttp.client import ClientTimeout
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

SEND_WITHIN = 4.0
"""Seconds in which a request is sent, or not at all: our right to act is a Lease that may have run out by then."""
PER_NAMESPACE = 16
"""Calls at once in one namespace: slow endpoints of one tenant must not use up what others need."""


class _NotSentError(Exception):
    """It is too late to send the request, or it would be sent a second time."""


class _Attempt:
    """How far one call has come.

    Attributes:
        sent: the request may have reached the endpoint.
        code: the status code of the answer.
    """

    def __init__(self, clock: Clock, call: Call, deadline: asyncio.Timeout) -> None:
        self.sent = False
        self.code: int | None = None
        self._clock = clock
        self._began = clock.boottime()
        self._deadline = deadline
        self._until = asyncio.get_running_loop().time() + call.within

    def begin_to_send(self) -> bool:
        """Whether the request may go out now; from here on the call has its full time."""
        # The loop's own clock stands still while the machine sleeps, so its deadline alone is not enough.
        late = self._deadline.expired() or self._clock.boottime() - self._began >= SEND_WITHIN
        if self.sent or late:
            return False
        self.sent = True
        self._deadline.reschedule(self._until)
        return True


class _OneConnection(aiohttp.TCPConnector):
    """Makes one connection and asks for leave before anything is sent on it.

    The client repeats a PUT by itself when the connection breaks; here that fails.
    """

    def __init__(self, attempt: _Attempt) -> None:
        super().__init__(limit=0, force_close=True, use_dns_cache=False)
        self._attempt = attempt

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the signature is that of the class above
    ) -> Connection:
        """Connect, TLS included."""
        if self._attempt.sent:
            raise _NotSentError
        connection = await super().connect(req, traces, timeout)
        if not self._attempt.begin_to_send():
            connection.close()
            raise _NotSentError
        return connection


class HttpCaller:
    """Calls HTTP endpoints.

    As probes: inside the address policy, to the address that was checked, no redirects, no proxy, no cookies, no
    credentials; messages hold the status code and times, never a byte of the answer.

    Args:
        view: Services and pods.
        policy: which addresses are allowed.
        clock: the time.
        user_agent: sent with every request.
        lookup: resolves names.
        fence: asked right before a request is sent, None where no right to act can be lost; raises NotLeader.
    """

    def __init__(
        self,
        view: View,
        policy: Policy,
        clock: Clock,
        user_agent: str,
        lookup: Lookup = look_up,
        fence: Fence | None = None,
    ) -> None:
        self._resolver = Resolver(view, policy, lookup)
        self._clock = clock
        self._fence = fence
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Content-Type": "application/json"}
        self._turns = Turns()
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_NAMESPACE))

    async def call(self, namespace: str, call: Call) -> CallResult:
        """Make the request once; a free place, name, connection and TLS together have `SEND_WITHIN` seconds.

        Raises:
            NotLeader: this process may not act now: nothing was sent.
        """
        deadline = asyncio.timeout(min(SEND_WITHIN, call.within))
        attempt = _Attempt(self._clock, call, deadline)
        try:
            async with deadline, self._slots[namespace]:
                refusal = await self._attempt(namespace, call, attempt)
        except SpecError as error:
            return CallResult(CallOutcome.REFUSED, str(error))
        except (_NotSentError, aiohttp.ClientError, OSError, ValueError) as error:
            refusal = None if attempt.code is not None else _broken(error, attempt, call)
        return refusal or _answered(attempt.code)

    async def _attempt(self, namespace: str, call: Call, attempt: _Attempt) -> CallResult | None:
        """Send the request and note the answer; a result when there is nowhere to send it to."""
        destination = await self._resolver.resolve(namespace, call.endpoint, "endpoint")
        if not destination.addresses:
            message = destination.empty or "the name has no address"
            return CallResult(CallOutcome.REFUSED, message, retry=True)
        place = self._turns.next(namespace, destination)
        headers = {**self._headers, **call.headers}
        with fenced(self._fence):
            async with (
                open_session(_OneConnection(attempt), FencedRequest) as session,
                request(session, call.method, destination, place, headers, body=call.body) as response,
            ):
                # The code is the answer, even if the body breaks off or never ends.
                attempt.code = response.status
                await response.content.read(MAX_BODY)
        return None


def _answered(code: int | None) -> CallResult:
    if code is None:
        return CallResult(CallOutcome.UNKNOWN, "the request ended without an answer", retry=True)
    if 200 <= code < 300:
        return CallResult(CallOutcome.DONE, f"answered {code}")
    return CallResult(CallOutcome.REFUSED, f"answered {code}", retry=code >= 500 or code == 429)


def _broken(error: Exception, attempt: _Attempt, call: Call) -> CallResult:
    """What is known when no answer came."""
    if attempt.sent:
        timeout = isinstance(error, TimeoutError)
        message = f"no answer within {call.within:g} s" if timeout else "the connection ended without a valid answer"
        return CallResult(CallOutcome.UNKNOWN, f"{message}; it may have been done", retry=True)
    return CallResult(CallOutcome.REFUSED, f"{_obstacle(error, call)}; it was not sent", retry=True)


def _obstacle(error: Exception, call: Call) -> str:
    """Why the request did not go out, without a word of the other side: that may hold anything."""
    if isinstance(error, TimeoutError | _NotSentError):
        return f"no connection within {min(SEND_WITHIN, call.within):g} s"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed: certificate or protocol"
    if isinstance(error, aiohttp.ClientError):
        return "connection refused or not reachable"
    if isinstance(error, ValueError):
        return "the request is not valid"
    return "the name cannot be resolved now"
