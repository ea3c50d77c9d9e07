"""The scripted caller answers as a test tells it, and as a real one would in time."""

from __future__ import annotations

import pytest

from ultra_recovery.adapters.memory import FakeClock, ScriptedCaller
from ultra_recovery.apis.circuit_breaker import ServiceRef
from ultra_recovery.apis.endpoint import HttpEndpoint
from ultra_recovery.core.call import Call, CallOutcome, CallResult

pytestmark = pytest.mark.looptime

HOOK = Call(HttpEndpoint(service_ref=ServiceRef(name="hook", port=80)), "POST", b"{}", 5.0)
DONE, REFUSED, UNKNOWN = CallOutcome.DONE, CallOutcome.REFUSED, CallOutcome.UNKNOWN


@pytest.fixture
def caller() -> ScriptedCaller:
    return ScriptedCaller(FakeClock())


async def test_an_endpoint_nobody_spoke_of_does_what_it_is_asked(caller: ScriptedCaller):
    assert (await caller.call("shop", HOOK)).outcome is DONE
    assert [(made.namespace, made.endpoint, made.call) for made in caller.calls] == [("shop", "hook", HOOK)]


async def test_the_next_answers_come_before_the_standing_one(caller: ScriptedCaller):
    caller.set("hook", DONE, message="answered 200")
    caller.then("hook", [REFUSED, UNKNOWN])
    results = [await caller.call("shop", HOOK) for _ in range(3)]
    assert [(item.outcome, item.retry) for item in results] == [(REFUSED, True), (UNKNOWN, True), (DONE, False)]
    assert results[2] == CallResult(DONE, "answered 200")


@pytest.mark.parametrize(("delay", "outcome", "seconds"), [(4, REFUSED, 4), (6, UNKNOWN, 5)])
async def test_an_answer_that_comes_too_late_leaves_it_open(
    caller: ScriptedCaller, delay: float, outcome: CallOutcome, seconds: float
):
    clock = FakeClock()
    caller.set("hook", REFUSED, delay=delay)
    assert (await caller.call("shop", HOOK)).outcome is outcome
    assert clock.boottime() == pytest.approx(seconds)


async def test_endpoints_with_an_address_are_known_by_it(caller: ScriptedCaller):
    url = "https://hooks.example.com/x"
    caller.set(url, REFUSED)
    call = Call(HttpEndpoint(url=url), "POST", b"{}", 5.0)
    assert (await caller.call("shop", call)).outcome is REFUSED
    assert len(caller.made(url)) == 1
