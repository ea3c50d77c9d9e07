"""Every gate alone refuses with its reason, in the order of the design, and only what it is meant for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.core.breaker_scene import HALF_OPEN, OPEN
from tests.unit.core.policy_scene import NOW, ago, dependency, facts, incident, pod, record, signal, workload
from ultra_recovery.apis.meta import EXCLUDE_LABEL
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Limits, MaintenanceWindow
from ultra_recovery.apis.recovery_run import Cause
from ultra_recovery.core.facts import DependencyFacts, PolicyFacts, Rails
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.run_gates import first_refusal
from ultra_recovery.core.signals import SignalState
from ultra_recovery.core.step_gates import ActionClass, EffectRequest, first_step_refusal
from ultra_recovery.core.target import TargetFacts

R = Reason


def target(**changes: Any) -> TargetFacts:
    return TargetFacts(workload(**changes), (pod("a", ready=False), pod("b")))


DRY = record(dry_run=True, uid="dry", started_at=None, phase="Succeeded")
USED_UP = [record(uid=str(n), name=f"web-1-{n}") for n in range(3)]
RUN_GATES: list[tuple[Reason, PolicyFacts]] = [
    (R.STALLED, facts(problem=Problem(R.TARGET_NOT_FOUND, "gone"))),
    (R.RIGHTS_UNKNOWN, facts(rails=Rails(creator=Refusal(R.RIGHTS_UNKNOWN, "no answer")))),
    (R.PAUSED, facts({"mode": "Paused"})),
    (R.NAMESPACE_PAUSED, facts(rails=Rails(paused=Problem(R.NAMESPACE_PAUSED, "by annotation")))),
    (R.MANUAL, facts({"mode": "Manual"})),
    (R.NOT_FIRING, facts(signals=(signal(SignalState.PENDING),))),
    (R.NEEDS_HUMAN, facts(records=USED_UP)),
    (R.DRY_RUN_RECORDED, facts({"mode": "DryRun"}, records=[DRY])),
    (R.TARGET_GONE, facts(target=TargetFacts(None))),
    (R.EXCLUDED, facts(target=target(labels={EXCLUDE_LABEL: "true"}))),
    (R.SCALED_TO_ZERO, facts(target=target(replicas=0))),
    (R.INTERVAL, facts(records=[record(finished_at=ago(20))])),
    (R.COOLDOWN, facts(target_records=[record(policy="other", phase="Succeeded", finished_at=ago(60))])),
    (R.BUDGET, facts(rails=Rails(budget=Refusal(R.BUDGET, "used up")))),
    (R.TARGET_LEASED, facts(lease_holder="other-1-1")),
]
ORDER = [reason for reason, _ in RUN_GATES]
PASSED = {
    Cause.TRIGGER: set(),
    Cause.MANUAL: {R.MANUAL, R.NOT_FIRING, R.NEEDS_HUMAN, R.DRY_RUN_RECORDED, R.INTERVAL, R.COOLDOWN},
    Cause.REPORTED: {R.NOT_FIRING},
}


def refused(known: PolicyFacts, cause: Cause = Cause.TRIGGER) -> Reason | None:
    refusal = first_refusal(known, incident(), NOW, cause)
    return refusal.reason if refusal else None


def test_where_no_gate_refuses_the_run_may_begin():
    assert refused(facts()) is None


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize(("reason", "known"), RUN_GATES, ids=ORDER)
def test_each_run_gate_alone_refuses_with_its_reason_unless_the_cause_passes_it(reason, known, cause):
    assert refused(known, cause) == (None if reason in PASSED[cause] else reason)


_RAILS = Rails(
    paused=Problem(R.NAMESPACE_PAUSED, "by annotation"),
    budget=Refusal(R.BUDGET, "used up"),
    creator=Refusal(R.RIGHTS_UNKNOWN, "no answer"),
)
EVERYTHING: dict[str, Any] = {
    "problem": Problem(R.TARGET_NOT_FOUND, "gone"),
    "rails": _RAILS,
    "signals": (signal(SignalState.PENDING),),
    "records": [*USED_UP[1:], replace(USED_UP[0], finished_at=ago(20)), DRY],
    "target": TargetFacts(None),
    "target_records": [record(policy="other", phase="Succeeded", finished_at=ago(60))],
    "lease_holder": "other-1-1",
}
MENDED: list[tuple[Reason, str, dict[str, Any]]] = [
    (R.STALLED, "Paused", {"problem": None}),
    (R.RIGHTS_UNKNOWN, "Paused", {"rails": replace(_RAILS, creator=None)}),
    (R.PAUSED, "Paused", {}),
    (R.NAMESPACE_PAUSED, "Manual", {"rails": Rails(budget=Refusal(R.BUDGET, "used up"))}),
    (R.MANUAL, "Manual", {}),
    (R.NOT_FIRING, "DryRun", {"signals": (signal(),)}),
    (R.NEEDS_HUMAN, "DryRun", {"records": [replace(USED_UP[0], finished_at=ago(20)), DRY]}),
    (R.DRY_RUN_RECORDED, "DryRun", {}),
    (R.TARGET_GONE, "Auto", {"target": target(replicas=0, labels={EXCLUDE_LABEL: "true"})}),
    (R.EXCLUDED, "Auto", {"target": target(replicas=0)}),
    (R.SCALED_TO_ZERO, "Auto", {"target": target()}),
    (R.INTERVAL, "Auto", {"records": []}),
    (R.COOLDOWN, "Auto", {"target_records": []}),
    (R.BUDGET, "Auto", {"rails": Rails()}),
    (R.TARGET_LEASED, "Auto", {"lease_holder": ""}),
]
"""What refuses while everything does; the policy's mode then; and what is mended before the next line."""


def test_run_gates_are_asked_in_the_order_of_the_design():
    known, seen = dict(EVERYTHING), []
    for _, mode, mended in MENDED:
        seen.append(refused(facts({"mode": mode}, **known)))
        known |= mended
    assert seen == ORDER == [reason for reason, _, _ in MENDED]
    assert refused(facts(**known)) is None


ALL_DAY = [MaintenanceWindow.model_validate({"name": "day", "schedule": "0 0 * * *", "duration": "24h"})]
ROLLING = workload(updated=1)
STEP_GATES: list[tuple[Reason, dict[str, Any]]] = [
    (R.FORBIDDEN, {"rails": Rails(creator=Refusal(R.FORBIDDEN, "not allowed"))}),
    (R.MAINTENANCE_WINDOW, {"windows": ALL_DAY}),
    (R.ROLLOUT_IN_PROGRESS, {"target": TargetFacts(ROLLING, (pod("a"), pod("b")))}),
    (R.DEPENDENCY_OPEN, {"dependencies": [dependency(state=OPEN)]}),
    (R.STORM, {"rails": Rails(storm=Refusal(R.STORM, "many"))}),
    (R.QUORUM, {"limits": Limits(min_healthy="100%")}),
]
STEP_ORDER = [reason for reason, _ in STEP_GATES]
MEANT_FOR = {
    ActionClass.DISRUPTIVE: set(STEP_ORDER),
    ActionClass.ROLLOUT: {R.FORBIDDEN, R.MAINTENANCE_WINDOW, R.DEPENDENCY_OPEN, R.STORM},
    ActionClass.DEPENDENCY_REPAIR: {R.FORBIDDEN, R.MAINTENANCE_WINDOW},
    ActionClass.NOTIFY: set(),
}
NOT_FORCED = {R.FORBIDDEN, R.ROLLOUT_IN_PROGRESS}


def asks(action_class: ActionClass = ActionClass.DISRUPTIVE, **changes: Any) -> Reason | None:
    usual = {"target": TargetFacts(workload(), (pod("a"), pod("b"))), "limits": Limits(), "pod": pod("a")}
    refusal = first_step_refusal(EffectRequest(action_class, **{**usual, **changes}), NOW)
    return refusal.reason if refusal else None


@pytest.mark.parametrize("action_class", ActionClass)
@pytest.mark.parametrize(("reason", "changes"), STEP_GATES, ids=STEP_ORDER)
def test_each_step_gate_alone_refuses_the_classes_it_is_meant_for(reason, changes, action_class):
    assert asks(action_class) is None
    assert asks(action_class, **changes) == (reason if reason in MEANT_FOR[action_class] else None)


@pytest.mark.parametrize(("reason", "changes"), STEP_GATES, ids=STEP_ORDER)
def test_force_skips_window_veto_storm_and_quorum_and_nothing_else(reason, changes):
    assert asks(forced=True, **changes) == (reason if reason in NOT_FORCED else None)


@pytest.mark.parametrize("place", range(len(STEP_GATES)), ids=lambda place: STEP_ORDER[place])
def test_step_gates_are_asked_in_order(place):
    changes: dict[str, Any] = {}
    for _, more in reversed(STEP_GATES[place:]):
        changes |= more
    assert asks(**changes) == STEP_ORDER[place]


VETOES = [
    ("closed and good", dependency(), None),
    ("open", dependency(state=OPEN), R.DEPENDENCY_OPEN),
    ("half open", dependency(state=HALF_OPEN), R.DEPENDENCY_OPEN),
    ("closed, the newest probe failed", dependency(Outcome.FAILURE), R.DEPENDENCY_OPEN),
    ("closed, the probe could not be made", dependency(Outcome.ERROR), None),
    ("closed, asked for fewer requests", dependency(Outcome.NEUTRAL), None),
    ("nothing is known", DependencyFacts("db", None), None),
    ("failed, and not probed any more", replace(dependency(Outcome.FAILURE), probed=False), None),
]


@pytest.mark.parametrize(("known", "reason"), [row[1:] for row in VETOES], ids=[row[0] for row in VETOES])
def test_a_dependency_vetoes_only_by_what_is_known(known, reason):
    assert asks(dependencies=[known]) == reason


@pytest.mark.parametrize(
    ("known", "since", "reason"),
    [
        pytest.param(dependency(), ago(2), None, id="probed since then"),
        pytest.param(dependency(), ago(0), R.AWAITING_PROBE, id="probed before"),
        pytest.param(DependencyFacts("db", None), ago(2), R.AWAITING_PROBE, id="never probed"),
        pytest.param(DependencyFacts("db", None, probed=False), ago(2), None, id="will never be probed"),
    ],
)
def test_before_a_step_a_fresh_probe_is_awaited(known, since, reason):
    assert asks(dependencies=[known], fresh_since=since) == reason


@pytest.mark.parametrize(
    ("replicas", "ready", "share", "reason"),
    [(2, 2, "50%", None), (2, 1, "50%", R.QUORUM), (3, 2, "50%", R.QUORUM), (3, 3, "51%", None), (1, 1, "0%", None)],
)
def test_a_ready_pod_goes_only_if_enough_others_stay(replicas, ready, share, reason):
    pods = tuple(pod(f"p{n}", ready=n < ready) for n in range(replicas))
    known = TargetFacts(workload(replicas=replicas, updated=replicas, total=replicas), pods)
    limits = Limits(min_healthy=share)
    assert asks(target=known, limits=limits, pod=pods[0]) == reason
    assert asks(target=known, limits=limits, pod=pod("x", ready=False)) is None
