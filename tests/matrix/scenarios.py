"""The kinds of runs that go through the matrix. A new one is a few lines here: objects, what happens, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.matrix.ledger import Ledger
from tests.matrix.stage import Stage

API_VERSION = "recovery.ultra.dev/v1alpha1"
ENDED = ("Succeeded", "Failed", "Error", "Inconclusive", "Cancelled")


class Play:
    """What a scenario can do and see: the stage, and the operator's own writes as they pass the proxy."""

    def __init__(self, stage: Stage, ledger: Ledger) -> None:
        self.stage = stage
        self.ledger = ledger
        self.acted_at: list[float] = []

    async def wait(self, look: Callable[[Ledger], bool], what: str, seconds: float = 100.0) -> None:
        """Wait until the operator has written something."""
        await self.stage.until(lambda: look(self.ledger), what, seconds)

    def acted(self) -> None:
        """The operator has something to notice from now on."""
        self.acted_at.append(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of run.

    Attributes:
        name: as in the closing table.
        workloads: Deployments that are there and Ready before the operator starts, with their replicas.
        objects: what the user applies.
        act: what happens once the operator has seen all of it.
        ended: whether the operator has written the last word.
        runs: the most runs that may have an effect: the budget.
        patient: whether its times leave room for half a minute without a watch, and for answers that come late.
        evicts_healthy: whether pods that are well may be evicted, too.
        one_end: whether there is one end only. A call that may not be repeated leaves a run Inconclusive when nobody
            knows whether it was made, and rightly so.
    """

    name: str
    workloads: Mapping[str, int]
    objects: tuple[Mapping[str, Any], ...]
    act: Callable[[Play], Awaitable[None]]
    ended: Callable[[Ledger], bool]
    runs: int = 1
    patient: bool = True
    evicts_healthy: bool = False
    one_end: bool = True


def policy(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A policy on the Deployment of the same name with short times, but long enough for a blind half minute."""
    full = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "triggers": [{"name": "pods", "podUnhealthy": {}, "for": "1s"}],
        "ladder": [{"name": "restart", "action": {"restartPods": {}}, "timeout": "75s"}],
        "verify": {"healthyFor": "1s", "within": "45s"},
        "limits": {"interval": "1s", "cooldown": "1s", "minHealthyPeriod": "2s", "timeout": "300s"},
        **spec,
    }
    return {"apiVersion": API_VERSION, "kind": "RecoveryPolicy", "metadata": {"name": name}, "spec": full}


def breaker(name: str = "db", **spec: Any) -> dict[str, Any]:
    """A breaker on the Deployment of the same name with short times."""
    full = {
        "target": {"workload": {"kind": "Deployment", "name": name, "minReady": "50%"}},
        "probe": {"interval": "1s", "timeout": "1s", "trialInterval": "1s"},
        "failureThreshold": 2,
        "successThreshold": 2,
        "recoveryTimeout": "2s",
        **spec,
    }
    return {"apiVersion": API_VERSION, "kind": "CircuitBreaker", "metadata": {"name": name}, "spec": full}


def closed(*names: str) -> Callable[[Ledger], bool]:
    """All runs named here have ended, and the incident of their policy is closed."""

    def look(ledger: Ledger) -> bool:
        runs = ledger.runs()
        incident = ledger.status("recoverypolicies", "web").get("incident") or {}
        done = all(status.get("phase") in ENDED for status in runs.values())
        return set(names) <= set(runs) and done and incident.get("state") == "Closed"

    return look


def in_state(state: str, epoch: int) -> Callable[[Ledger], bool]:
    """The breaker is in this state, in this epoch or a later one."""

    def look(ledger: Ledger) -> bool:
        status = ledger.status("circuitbreakers", "db")
        return status.get("state") == state and status.get("epoch", 0) >= epoch

    return look


def effect_done(run: str, step: int = 0) -> Callable[[Ledger], bool]:
    """The first effect of a step of a run is on record."""

    def look(ledger: Ledger) -> bool:
        steps = ledger.status("recoveryruns", run).get("steps") or ()
        return any(effect.get("outcome") for item in steps[step : step + 1] for effect in item.get("effects") or ())

    return look


def hang(count: int) -> Callable[[Play], Awaitable[None]]:
    """Pods of web hang."""

    async def act(play: Play) -> None:
        await play.stage.hang("web", count)
        play.acted()

    return act


async def _cancel(play: Play) -> None:
    """Two pods hang; the replacement of the first takes its time, and meanwhile the user cancels."""
    play.stage.kubelet.broken = True
    await hang(2)(play)
    await play.wait(effect_done("web-1-1"), "the first pod is evicted")
    await play.stage.annotate("RecoveryRun", "web-1-1", "cancel-requested-at", "now")
    await play.stage.kubelet.mend()
    play.acted()


def run_ended(*names: str) -> Callable[[Ledger], bool]:
    """These runs have ended, whatever became of their incident."""
    return lambda ledger: all(ledger.status("recoveryruns", name).get("phase") in ENDED for name in names)


def _take_away(kind: str) -> Callable[[Play], Awaitable[None]]:
    """Two pods hang; the replacement of the first takes its time, and meanwhile something is deleted."""

    async def act(play: Play) -> None:
        play.stage.kubelet.broken = True
        await hang(2)(play)
        await play.wait(effect_done("web-1-1"), "the first pod is evicted")
        await play.stage.delete(kind, "web")
        await play.stage.kubelet.mend()
        play.acted()

    return act


async def _budget_gives_way(play: Play) -> None:
    """A disruption budget forbids the eviction, until the user removes it."""
    await hang(1)(play)

    def refused(ledger: Ledger) -> bool:
        return ledger.status("recoveryruns", "web-1-1").get("reason") == "PodDisruptionBudget"

    await play.wait(refused, "the budget refuses")
    await play.stage.delete("PodDisruptionBudget", "web")


async def _human(play: Play) -> None:
    """Replacements do not get well either; a human mends the cause and resets the policy."""
    play.stage.kubelet.sickly = True
    await hang(1)(play)

    def asked(ledger: Ledger) -> bool:
        conditions = ledger.status("recoverypolicies", "web").get("conditions") or ()
        return any(item["type"] == "NeedsHuman" and item["status"] == "True" for item in conditions)

    await play.wait(asked, "a human is asked")
    play.stage.kubelet.sickly = False
    await play.stage.annotate("RecoveryPolicy", "web", "reset-requested-at", "1")
    play.acted()


def _circuit_over(ledger: Ledger) -> bool:
    """The run has ended, the incident is closed, and so is the breaker."""
    return closed("web-1-1")(ledger) and ledger.status("circuitbreakers", "web").get("state") == "Closed"


async def _open_and_close(play: Play) -> None:
    """The dependency is gone, and comes back."""
    await play.stage.hang("db", 1)
    play.acted()
    await play.wait(in_state("Open", 1), "the breaker is Open")
    await play.stage.heal("db")
    play.acted()


async def _reset(play: Play) -> None:
    """The dependency is gone, comes back, and the user does not want to wait."""
    await play.stage.hang("db", 1)
    play.acted()
    await play.wait(in_state("Open", 1), "the breaker is Open")
    await play.stage.heal("db")
    # The breaker looks at the Deployment: reset before that tells of the recovery, it would rightly open again.
    await play.stage.told_ready("db", 1)
    await play.stage.annotate("CircuitBreaker", "db", "reset-requested-at", "1")
    play.acted()


def _confirmed(ledger: Ledger) -> bool:
    """Closed by a reset, and a fresh probe was good."""
    status = ledger.status("circuitbreakers", "db")
    return in_state("Closed", 2)(ledger) and not status.get("unconfirmed")


LIMITS = {"interval": "1s", "cooldown": "1s", "minHealthyPeriod": "2s", "timeout": "300s"}
SHORT_VERIFY = {"healthyFor": "1s", "within": "3s"}
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web"},
    "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
}
HASTY = policy(verify=SHORT_VERIFY)
# Long enough for the run to be over before the trial would begin by itself: what it evicts must not depend on luck.
WEB = breaker("web", recoveryTimeout="20s")
ON_OPEN = policy(
    triggers=[{"name": "circuit", "circuitOpen": {"breaker": "web"}}],
    ladder=[{"name": "restart", "action": {"restartPods": {"pods": "All"}}, "timeout": "150s"}],
)
ONE_ATTEMPT = policy(
    triggers=[{"name": "pods", "podUnhealthy": {"startupGrace": "1s"}, "for": "1s"}],
    ladder=[{"name": "restart", "action": {"restartPods": {}}, "timeout": "6s"}],
    verify=SHORT_VERIFY,
    limits={**LIMITS, "maxAttempts": 1},
)

SCENARIOS = (
    Scenario("evict one", {"web": 3}, (policy(),), hang(1), closed("web-1-1")),
    Scenario("evict all", {"web": 3}, (policy(),), hang(3), closed("web-1-1")),
    Scenario(
        "cancel",
        {"web": 3},
        (policy(verify=SHORT_VERIFY),),
        _cancel,
        closed("web-1-1", "web-1-2"),
        runs=2,
        patient=False,
    ),
    Scenario("breaker", {"db": 1}, (breaker(),), _open_and_close, in_state("Closed", 3)),
    # Not patient: without a watch the reset may be seen before the recovery is, and the breaker rightly opens again.
    Scenario("reset", {"db": 1}, (breaker(recoveryTimeout="120s"),), _reset, _confirmed, patient=False),
    Scenario(
        "circuit",
        {"web": 3},
        (breaker("web", recoveryTimeout="20s"), ON_OPEN),
        hang(2),
        _circuit_over,
        evicts_healthy=True,
    ),
    Scenario("disruption budget", {"web": 3}, (BUDGET, policy()), _budget_gives_way, closed("web-1-1")),
    Scenario("human", {"web": 3}, (ONE_ATTEMPT,), _human, closed("web-1-1", "web-1-2"), runs=2, patient=False),
    Scenario(
        "policy deleted",
        {"web": 3},
        (HASTY,),
        _take_away("RecoveryPolicy"),
        run_ended("web-1-1"),
        patient=False,
    ),
    # Not patient: a run that is not told of the deletion for half a minute may have ended well before.
    Scenario("target deleted", {"web": 3}, (policy(),), _take_away("Deployment"), run_ended("web-1-1"), patient=False),
)
