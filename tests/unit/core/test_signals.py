"""Signals: what each trigger says of pods and breakers, reason by reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.breaker_scene import DISABLED, FORCED, HALF_OPEN, METRICS, OPEN, override
from tests.unit.core.policy_scene import NOW, ago, pod, snapshot
from ultra_recovery.apis.trigger import PodUnhealthyReason, Trigger
from ultra_recovery.core.health import PodHistory, observe_pod, trouble_since
from ultra_recovery.core.objects import Pod, Terminated
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.signals import Observed, Signal, SignalState, read_signals

S, P = SignalState, PodUnhealthyReason
GRACE = timedelta(minutes=5)


def killed(*seconds: float) -> tuple[Terminated, ...]:
    return tuple(Terminated("main", "OOMKilled", 137, ago(second)) for second in seconds)


def leaving(since: float) -> Pod:
    item = pod("a", ready=False)
    return replace(item, meta=replace(item.meta, deleting=True, deleted_at=ago(since)))


WELL = pod("a")
HUNG = pod("a", ready=False)
LOOPING = replace(HUNG, waiting=("CrashLoopBackOff",))
PULLING = replace(HUNG, phase="Pending", waiting=("ImagePullBackOff",))
PENDING = replace(HUNG, phase="Pending")
SEEN: dict[str, tuple[Pod, set[PodUnhealthyReason]]] = {
    "well": (WELL, set()),
    "not Ready": (HUNG, {P.NOT_READY}),
    "killed three times": (replace(WELL, terminated=killed(10, 20, 30)), {P.OOM_KILLED}),
    "killed twice": (replace(WELL, terminated=killed(10, 20)), set()),
    "killed three times, once long ago": (replace(WELL, terminated=killed(10, 20, 601)), set()),
    "in CrashLoopBackOff": (LOOPING, {P.CRASH_LOOP}),
    "without an image, and Pending for long": (PULLING, {P.IMAGE_PULL, P.PENDING}),
    "Pending for long": (PENDING, {P.PENDING}),
    "Pending, and new": (replace(PENDING, meta=replace(PENDING.meta, created_at=ago(60))), set()),
    "Terminating for long": (leaving(400), {P.TERMINATING}),
    "Terminating": (leaving(100), set()),
}


def history(item: Pod, seconds: float = 0) -> PodHistory:
    """What is remembered of a pod that was Ready once, was seen like this `seconds` ago, and is still so."""
    first = observe_pod(PodHistory("Healthy", was_ready=True), item, grace=GRACE, now=ago(seconds))
    return observe_pod(first, item, grace=GRACE, now=NOW)


def said(item: Pod, reasons: list[str], seconds: float = 0, **more: Any) -> Signal:
    wire = {"name": "t", "podUnhealthy": {"reasons": reasons}, **more}
    seen = Observed({}, [item], {item.meta.uid: history(item, seconds)})
    return read_signals([Trigger.model_validate(wire)], seen, NOW)[0]


@pytest.mark.parametrize("reason", P)
@pytest.mark.parametrize("name", SEEN)
def test_a_pod_fires_for_the_reasons_that_it_has_and_no_other(name, reason):
    item, reasons = SEEN[name]
    found = trouble_since(history(item), list(P), 3, timedelta(minutes=10), NOW)
    assert set(found) == reasons
    assert (said(item, [reason]).state is S.FIRING) == (reason in reasons)


@pytest.mark.parametrize("name", SEEN)
def test_only_pods_that_a_restart_may_help_are_named_for_eviction(name):
    item, reasons = SEEN[name]
    helped = bool(reasons & {P.NOT_READY, P.OOM_KILLED})
    assert said(item, list(P)).pods == (frozenset({item.meta.uid}) if helped else frozenset())


@pytest.mark.parametrize(("seconds", "state"), [(29, S.PENDING), (30, S.FIRING)])
def test_a_trigger_waits_for_its_for(seconds, state):
    signal = said(HUNG, ["NotReady"], seconds, **{"for": "30s"})
    assert (signal.state, signal.bad_since) == (state, ago(seconds))
    assert signal.fires_at == (ago(-1) if state is S.PENDING else None)


def test_kills_for_lack_of_memory_do_not_wait_for_the_for():
    item = replace(WELL, terminated=killed(10, 20, 30))
    signal = said(item, ["OOMKilled"], **{"for": "1h"})
    assert (signal.state, signal.bad_since) == (S.FIRING, ago(30))


def test_kills_that_the_pod_does_not_show_any_more_are_remembered():
    seen = None
    for second in (30, 20, 10):
        seen = observe_pod(seen, replace(WELL, terminated=killed(second)), grace=GRACE, now=ago(second - 1))
    assert seen.kills == (ago(30), ago(20), ago(10))
    assert trouble_since(seen, [P.OOM_KILLED], 3, timedelta(minutes=10), NOW) == {P.OOM_KILLED: ago(30)}
    assert trouble_since(seen, [P.OOM_KILLED], 3, timedelta(seconds=29), NOW) == {}


def test_without_its_target_a_trigger_about_pods_says_nothing():
    trigger = Trigger.model_validate({"name": "t", "podUnhealthy": {}})
    assert read_signals([trigger], Observed({}, [], {}, target_known=False), NOW)[0].state is S.UNKNOWN


GOOD = {"good_since": ago(9)}
BREAKERS: dict[str, tuple[Any, SignalState]] = {
    "nothing known": (None, S.UNKNOWN),
    "closed": (snapshot(**GOOD), S.CLEAR),
    "open": (snapshot(Outcome.FAILURE, state=OPEN), S.FIRING),
    "half open": (snapshot(state=HALF_OPEN, **GOOD), S.NEITHER),
    "reset, not confirmed": (snapshot(unconfirmed=True), S.NEITHER),
    "forced open": (snapshot(state=OPEN, override=override(FORCED)), S.NEITHER),
    "disabled": (snapshot(override=override(DISABLED)), S.NEITHER),
    "metrics only": (snapshot(override=override(METRICS)), S.NEITHER),
}


@pytest.mark.parametrize("name", BREAKERS)
def test_a_breaker_fires_only_while_it_is_open_by_its_own(name):
    known, state = BREAKERS[name]
    trigger = Trigger.model_validate({"name": "t", "circuitOpen": {"breaker": "db"}})
    assert read_signals([trigger], Observed({"db": known}, [], {}), NOW)[0].state is state


@pytest.mark.parametrize(("seconds", "state"), [(9, S.PENDING), (10, S.FIRING)])
def test_an_open_breaker_waits_for_the_for(seconds, state):
    trigger = Trigger.model_validate({"name": "t", "circuitOpen": {"breaker": "db"}, "for": "10s"})
    known = snapshot(Outcome.FAILURE, state=OPEN, since=ago(seconds))
    assert read_signals([trigger], Observed({"db": known}, [], {}), NOW)[0].state is state


def test_a_trigger_about_reports_is_no_signal_of_trouble():
    trigger = Trigger.model_validate({"name": "t", "errorReported": {"errorTypes": ["E"]}})
    assert read_signals([trigger], Observed({}, [], {}), NOW)[0].state is S.CLEAR
