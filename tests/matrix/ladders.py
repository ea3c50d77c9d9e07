"""Run kinds beyond a single eviction: ladders that escalate, people who decide, runs that touch nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.matrix.ledger import Ledger
from tests.matrix.scenarios import API_VERSION, LIMITS, SHORT_VERIFY, Play, Scenario, closed, effect_done, hang, policy
from tests.matrix.scenarios import run_ended as ended
from tests.matrix.stage import pod_template

_TEMPLATE = pod_template("repair")
REPAIR = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "repair"},
    "spec": {
        "schedule": "0 0 1 1 *",
        "suspend": True,
        "jobTemplate": {
            "spec": {"template": {**_TEMPLATE, "spec": {**_TEMPLATE["spec"], "restartPolicy": "Never"}}},
        },
    },
}
REPORTED = {"name": "reported", "errorReported": {"errorTypes": ["NONE"]}}
RESTART = {"name": "restart", "action": {"restartPods": {}}, "timeout": "6s"}


def rung(name: str, **action: Any) -> dict[str, Any]:
    """One step of a ladder."""
    return {"name": name, "action": action, "timeout": "40s"}


def ladder(*rungs: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """A policy that tries the steps in order, once."""
    # New pods that run and are not Ready count as ill at once: the restart must not help.
    triggers = [{"name": "pods", "podUnhealthy": {"startupGrace": "1s"}, "for": "1s"}]
    # The end is looked at when the run is over: whether the incident has closed by then must not be a matter of chance.
    limits = {**LIMITS, "maxAttempts": 1, "minHealthyPeriod": "5m"}
    full = {"triggers": triggers, "ladder": list(rungs), "verify": SHORT_VERIFY, "limits": limits, **spec}
    return policy(**full)


async def _mend_after_second_step(play: Play) -> None:
    """The replacement is as ill as the pod was; what the second step does mends it."""
    play.stage.kubelet.sickly = True
    await hang(1)(play)
    await play.wait(effect_done("web-1-1", 1), "the second step has acted")
    play.stage.kubelet.sickly = False
    await play.stage.heal("web")
    play.acted()


async def _mend_after_call(play: Play) -> None:
    """A pod hangs until the operator has done something about it, or has given up."""
    await hang(1)(play)
    done, over = effect_done("web-1-1"), ended("web-1-1")
    await play.wait(lambda ledger: done(ledger) or over(ledger), "the step has acted, or the run is over")
    await play.stage.heal("web")
    play.acted()


async def _approve(play: Play) -> None:
    """Somebody approves the restart."""
    await hang(1)(play)

    def asked(ledger: Ledger) -> bool:
        return ledger.status("recoveryruns", "web-1-1").get("phase") == "AwaitingApproval"

    await play.wait(asked, "the run waits for approval")
    await play.stage.annotate("RecoveryRun", "web-1-1", "approve", "restart")
    play.acted()


async def _by_hand(play: Play) -> None:
    """The policy does nothing by itself; somebody creates a run."""
    await hang(1)(play)
    meta = {"name": "by-hand", "labels": {"recovery.ultra.dev/policy": "web"}}
    spec = {"policyName": "web", "cause": "Manual", "reason": "drill"}
    await play.stage.create({"apiVersion": API_VERSION, "kind": "RecoveryRun", "metadata": meta, "spec": spec})
    play.acted()


LADDERS = (
    Scenario(
        "restart, then job",
        {"web": 3},
        (REPAIR, ladder(RESTART, rung("repair", runJob={"cronJobName": "repair"}))),
        _mend_after_second_step,
        ended("web-1-1"),
        patient=False,
    ),
    Scenario(
        "hook",
        {"web": 3},
        (policy(ladder=[rung("call", callHook={"url": "$HOOKS/idempotent", "idempotent": True})]),),
        _mend_after_call,
        closed("web-1-1"),
    ),
    Scenario(
        "hook, once",
        {"web": 3},
        (policy(ladder=[rung("call", callHook={"url": "$HOOKS/once"})]),),
        _mend_after_call,
        closed("web-1-1"),
        one_end=False,
    ),
    Scenario(
        "restart, then notify",
        {"web": 3},
        (ladder(RESTART, rung("page", notify={"webhook": {"url": "$HOOKS/notify"}})),),
        _mend_after_second_step,
        ended("web-1-1"),
        patient=False,
    ),
    Scenario(
        "approval",
        {"web": 3},
        (policy(ladder=[{**RESTART, "timeout": "75s", "approval": {"required": True, "within": "5m"}}]),),
        _approve,
        closed("web-1-1"),
    ),
    Scenario("dry run", {"web": 3}, (policy(mode="DryRun"),), hang(1), ended("web-1-1")),
    # Its trigger never fires by itself: whether an incident opens beside the run would be a matter of chance.
    Scenario("by hand", {"web": 3}, (policy(mode="Manual", triggers=[REPORTED]),), _by_hand, ended("by-hand")),
)
