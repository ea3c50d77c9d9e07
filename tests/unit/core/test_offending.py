"""restartPods with pods: Offending: which pod is meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ultra_recovery.actions.restart_pods import RestartPodsAction, worst_offender
from ultra_recovery.apis.recovery_policy import Limits
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectStatus, Plan, RecoveryRunStatus, StepStatus
from ultra_recovery.core.action import StepView
from ultra_recovery.core.database_request import DatabaseAnswer
from ultra_recovery.core.objects import Kind, Pod, Run
from ultra_recovery.core.parsing import parse
from ultra_recovery.core.target import TargetFacts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LADDER = [
    {"name": "hook", "action": {"runJob": {"cronJobName": "x"}}},
    {"name": "refresh", "action": {"refreshPool": {"breaker": "db"}}},
    {"name": "end", "action": {"endLongQueries": {"breaker": "db"}}},
    {"name": "restart", "action": {"restartPods": {"pods": "Offending"}}},
]


def stamp(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def pod(name: str, *addresses: str, created: float = -60, **meta: Any) -> Pod:
    document = {
        "metadata": {
            "namespace": "shop",
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": stamp(created),
            **meta,
        },
        "spec": {},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": address} for address in addresses],
            "startTime": stamp(created),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(created)}],
        },
    }
    found = parse(Kind.POD, document)
    assert isinstance(found, Pod)
    return found


PODS = (pod("a", "10.0.0.1"), pod("b", "10.0.0.2", "fd00::2"), pod("c", "10.0.0.3"))


def done(name: str, **offenders: int) -> dict[str, Any]:
    counts = {address.replace("_", "."): count for address, count in offenders.items()}
    evidence = DatabaseAnswer(changed=True, message="closed", offenders=counts).to_text()
    return {"name": name, "state": "Done", "evidence": evidence, "podsUntil": stamp(0)}


def view(*steps: dict[str, Any], pods: tuple[Pod, ...] = PODS, effects: tuple[str, ...] = ()) -> StepView:
    plan = Plan.model_validate(
        {
            "policyGeneration": 1,
            "targetRef": {"kind": "Deployment", "name": "web"},
            "triggers": [],
            "ladder": LADDER,
            "verify": {},
            "limits": {},
        }
    )
    own = StepStatus.model_validate({"name": "restart", "state": "Acting", "podsUntil": stamp(30)})
    own = own.model_copy(
        update={"effects": [EffectStatus(kind="Evict", object=uid, id=uid, intent_at=NOW) for uid in effects]}
    )
    earlier = [StepStatus.model_validate(item) for item in steps]
    base = parse(Kind.RUN, {"metadata": {"namespace": "shop", "name": "web-1-1"}, "spec": {"policyName": "web"}})
    assert isinstance(base, Run)
    run = Run(
        meta=base.meta,
        spec=RecoveryRunSpec(policy_name="web"),
        status=RecoveryRunStatus(plan=plan, steps=[*earlier, own]),
    )
    return StepView(run, plan.ladder[-1], own, TargetFacts(None, pods), (), Limits(), NOW)


@pytest.mark.parametrize(
    ("steps", "pods", "expected"),
    [
        pytest.param([done("refresh", **{"10_0_0_1": 1, "10_0_0_2": 5})], PODS, "b", id="the one that held most"),
        pytest.param([done("refresh", **{"10_0_0_1": 2, "10_0_0_3": 2})], PODS, "a", id="the first of two alike"),
        pytest.param([done("refresh", **{"10_9_9_9": 50, "10_0_0_3": 1})], PODS, "c", id="others are not our business"),
        pytest.param([done("refresh", **{"10_9_9_9": 50})], PODS, None, id="a pooler alone"),
        pytest.param(
            [done("refresh", **{"10_0_0_1": 9}), done("end", **{"10_0_0_3": 1})], PODS, "c", id="the last step counts"
        ),
        pytest.param([done("hook", **{"10_0_0_1": 9})], PODS, None, id="a Job of the user is no database step"),
        pytest.param([], PODS, None, id="no earlier step"),
        pytest.param([{"name": "refresh", "state": "Done"}], PODS, None, id="no evidence"),
        pytest.param([{"name": "refresh", "state": "Done", "evidence": "{"}], PODS, None, id="broken evidence"),
        pytest.param(
            [done("refresh", **{"10_0_0_1": 9})],
            (pod("new", "10.0.0.1", created=10), *PODS[1:]),
            None,
            id="a newer pod with the address of one that is gone",
        ),
        pytest.param(
            [done("refresh", **{"10_0_0_1": 9, "10_0_0_2": 1})],
            (pod("a", "10.0.0.1", labels={"recovery.ultra.dev/exclude": "true"}), *PODS[1:]),
            "b",
            id="an excluded pod is never meant",
        ),
    ],
)
def test_the_pod_that_held_most_sessions_at_fault_is_meant(
    steps: list[dict[str, Any]], pods: tuple[Pod, ...], expected: str | None
):
    proposal = RestartPodsAction().propose(view(*steps, pods=pods))
    assert (proposal.effect.object if proposal is not None else None) == expected


def test_one_pod_is_enough_although_another_was_at_fault_too():
    steps = done("refresh", **{"10_0_0_1": 9, "10_0_0_2": 5})
    assert RestartPodsAction().propose(view(steps, pods=PODS[1:], effects=("uid-a",))) is None


def test_an_address_of_either_family_leads_to_the_pod():
    step = {**done("refresh"), "evidence": '{"changed": true, "message": "", "offenders": {"fd00::2": 3}}'}
    found = worst_offender(view(step), PODS)
    assert found is not None
    assert found.meta.key.name == "b"
