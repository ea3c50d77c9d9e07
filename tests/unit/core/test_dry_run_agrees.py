"""DryRun and Auto decide alike: on the same input the same decision, and the same first effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.core.breaker_scene import CLOSED, HALF_OPEN, OPEN
from tests.unit.core.policy_scene import NOW, ago, dependency, facts, incident, pod, record, signal, workload
from tests.unit.core.run_ladders import LADDERS
from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.meta import EXCLUDE_LABEL
from ultra_recovery.apis.policy_status import IncidentState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectStatus, RecoveryRunStatus, StepState
from ultra_recovery.core.decide import DecisionKind, decide
from ultra_recovery.core.facts import PolicyFacts, Rails, RunFacts
from ultra_recovery.core.objects import Key, Kind, Meta, Run
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.run import advance
from ultra_recovery.core.signals import SignalState
from ultra_recovery.core.step_gates import ActionClass
from ultra_recovery.core.target import TargetFacts

sometimes = st.sampled_from([False] * 11 + [True])
TWICE = [{"name": "day", "schedule": "0 0 * * *", "duration": "24h"}, {"name": "never", "schedule": "0 0 31 2 *"}]
TWICE[1]["duration"] = "1h"


@st.composite
def records(draw: st.DrawFn) -> list[Any]:
    made = []
    for number in range(draw(st.integers(0, 4))):
        finished = ago(draw(st.integers(0, 4000)))
        phase, reason = draw(st.sampled_from([("Succeeded", "Verified"), ("Failed", "NothingToDo"), ("Error", "X")]))
        made.append(
            record(
                uid=f"u{number}",
                name=f"web-1-{number + 1}",
                phase=phase,
                reason=reason,
                incident=draw(st.integers(1, 2)),
                effective=draw(st.booleans()),
                cause=draw(st.sampled_from(["Trigger", "Manual", "Reported"])),
                created_at=finished - timedelta(seconds=60),
                started_at=finished - timedelta(seconds=50),
                finished_at=finished,
            )
        )
    return made


@st.composite
def known(draw: st.DrawFn) -> PolicyFacts:
    """Facts of a policy with anything that may hold a recovery back, in its ladder any action."""
    well = draw(st.sampled_from([[True], [True, False], [False]]))
    pods = tuple(pod(f"p{n}", ready=draw(st.sampled_from(well))) for n in range(draw(st.integers(1, 4))))
    ill = [item.meta.uid for item in pods if not item.ready]
    state = draw(st.sampled_from([SignalState.FIRING] * 5 + list(SignalState)))
    labels = {EXCLUDE_LABEL: "true"} if draw(sometimes) else {}
    count = draw(st.sampled_from([len(pods)] * 5 + [0]))
    there = workload(replicas=count, updated=count - draw(sometimes), total=count, labels=labels)
    spec = {
        "ladder": LADDERS[draw(st.sampled_from(["all pods"] * 4 + sorted(LADDERS)))],
        "limits": {"minHealthy": draw(st.sampled_from(["0%", "50%", "100%"])), "timeout": "300s"},
        "maintenanceWindows": TWICE[draw(st.sampled_from([0, 1, 1, 1, 1])) :],
    }
    rails = Rails(
        paused=Problem(Reason.NAMESPACE_PAUSED, "by annotation") if draw(sometimes) else None,
        budget=Refusal(Reason.BUDGET, "used up") if draw(sometimes) else None,
        storm=Refusal(Reason.STORM, "many are ill") if draw(sometimes) else None,
    )
    found = draw(st.sampled_from([CLOSED] * 4 + [OPEN, HALF_OPEN]))
    outcome = draw(st.sampled_from([Outcome.SUCCESS] * 4 + [None, *Outcome]))
    opened = draw(st.sampled_from([None, *map(incident, IncidentState), *[incident()] * 3]))
    return facts(
        spec,
        incident=opened,
        target=TargetFacts(None if draw(sometimes) else there, pods),
        signals=(signal(state, *ill),),
        records=draw(records()),
        dependencies=(dependency(outcome, state=found),),
        rails=rails,
        lease_holder="other-1-1" if draw(sometimes) else "",
        problem=Problem(Reason.BREAKER_NOT_FOUND, "db is not there") if draw(sometimes) else None,
    )


def with_mode(given_facts: PolicyFacts, mode: Mode) -> PolicyFacts:
    spec = given_facts.spec.model_copy(update={"mode": mode})
    return replace(given_facts, spec=spec, policy=replace(given_facts.policy, spec=spec))


@given(known(), st.sampled_from(ActionClass))
def test_dry_run_decides_as_auto_does(given_facts: PolicyFacts, action_class: ActionClass):
    auto = decide(with_mode(given_facts, Mode.AUTO), action_class, NOW)
    dry = decide(with_mode(given_facts, Mode.DRY_RUN), action_class, NOW)
    assert (dry.kind, dry.reason, dry.message, dry.run_name) == (auto.kind, auto.reason, auto.message, auto.run_name)
    assert (dry.step, dry.next_look) == (auto.step, auto.next_look)
    if auto.run is None:
        assert dry.run is None
    else:
        assert dry.run == auto.run.model_copy(update={"dry_run": True})


def walk(given_facts: PolicyFacts, spec: RecoveryRunSpec) -> tuple[RecoveryRunStatus, EffectStatus | None]:
    """Carry a run as far as its first effect, or to its end; every dependency answers a fresh probe as before."""
    meta = Meta(Key(Kind.RUN, "shop", "web-1-1"), "run-1", "1", 1, ago(1))
    status = RecoveryRunStatus()
    for _ in range(20):
        plan = status.plan
        seen = RunFacts(
            Run(meta, spec, status),
            given_facts.policy,
            given_facts.target,
            given_facts.signals if plan is not None else (),
            term=1,
            policy_facts=given_facts,
            dependencies=tuple(
                replace(item, snapshot=replace(item.snapshot, last=replace(item.snapshot.last, started_at=NOW)))
                if item.snapshot is not None and item.snapshot.last is not None
                else item
                for item in given_facts.dependencies
            ),
            rails=given_facts.rails,
            lease_held=True,
            breaker_held=True,
        )
        answer = advance(seen, find_action, NOW)
        if answer.effect is not None or answer.status == status:
            return answer.status, answer.effect
        status = answer.status
    raise AssertionError("the run does not come to rest")


@given(known())
def test_the_first_effect_that_a_dry_run_records_is_the_first_intent_of_a_real_one(given_facts: PolicyFacts):
    ladder = [rung for rung in given_facts.spec.ladder if rung.action.notify is None and rung.approval is None]
    assume(ladder)
    spec = given_facts.spec.model_copy(update={"ladder": ladder})
    given_facts = replace(given_facts, spec=spec, policy=replace(given_facts.policy, spec=spec))
    auto = decide(with_mode(given_facts, Mode.AUTO), ActionClass.NOTIFY, NOW)
    assume(auto.kind is DecisionKind.START_RUN)
    opened = auto.incident
    status = given_facts.policy.status.model_copy(update={"incident": opened})
    given_facts = replace(given_facts, policy=replace(given_facts.policy, status=status))
    real, effect = walk(with_mode(given_facts, Mode.AUTO), auto.run)
    dry, none = walk(with_mode(given_facts, Mode.DRY_RUN), auto.run.model_copy(update={"dry_run": True}))
    assert none is None
    assert dry.reason == Reason.DRY_RUN
    place = len(real.steps) - 1
    planned = dry.steps[place]
    if effect is not None:
        first = planned.effects[0]
        assert (first.kind, first.object, first.id) == (effect.kind, effect.object, effect.id)
        assert first.ready_before == effect.ready_before
    elif real.steps[place].state is not StepState.DONE:
        assert planned.effects == []
        assert planned.reason == real.steps[place].reason or real.steps[place].reason is None
