"""Breakers: when they open, half-open, close; resets; restarts of the operator."""

from __future__ import annotations

import time
from typing import Any

import pytest

from e2e.install import restart_operator
from e2e.kube import Kube, condition, status, wait_for


def breaker(kube: Kube) -> dict[str, Any]:
    """Status of breaker inventory."""
    return status(kube.get("cb", "inventory"))


def await_state(kube: Kube, state: str) -> dict[str, Any]:
    """The status once the breaker is in that state."""

    def look() -> dict[str, Any] | None:
        found = breaker(kube)
        return found if found.get("state") == state else None

    return wait_for(look, f"breaker inventory is {state}")


def take_down(kube: Kube) -> None:
    kube.run("scale", "deployment/inventory", "--replicas=0")


def bring_up(kube: Kube) -> None:
    kube.run("scale", "deployment/inventory", "--replicas=1")
    kube.run("rollout", "status", "deployment/inventory", "--timeout=60s")


@pytest.mark.failure(
    of="Dependency",
    what="A dependency fails probe after probe",
    see="the breaker opens, tries again after `recoveryTimeout`, and closes; condition `CircuitOpen`",
    bound="5 failures, 3 successes",
)
def test_it_opens_at_the_fifth_failure_and_closes_after_three_successes(kube: Kube) -> None:
    take_down(kube)
    opened = await_state(kube, "Open")
    assert opened["consecutiveFailures"] == 5
    assert opened["message"].startswith("5 failures in a row")
    assert condition(kube.get("cb", "inventory"), "Ready")["status"] == "True"
    bring_up(kube)
    half_open = await_state(kube, "HalfOpen")
    assert half_open["since"] >= opened["trialAt"]
    closed = await_state(kube, "Closed")
    assert closed["message"] == "3 successes in a row"
    assert closed["epoch"] == opened["epoch"] + 2


def test_a_restarted_operator_finds_it_as_it_was(kube: Kube, operator: Kube) -> None:
    take_down(kube)
    opened = await_state(kube, "Open")
    restart_operator(operator)
    time.sleep(3)
    assert (breaker(kube)["state"], breaker(kube)["epoch"]) == ("Open", opened["epoch"])
    bring_up(kube)
    await_state(kube, "Closed")


def test_a_reset_fires_once_per_value_also_when_it_is_applied_again(kube: Kube) -> None:
    take_down(kube)
    opened = await_state(kube, "Open")
    bring_up(kube)
    began = time.monotonic()
    kube.reset("cb", "inventory", "first")
    closed = await_state(kube, "Closed")
    assert closed["reason"] == "Reset"
    assert time.monotonic() - began < 30
    wait_for(lambda: not breaker(kube).get("unconfirmed"), "a fresh success confirms the reset")
    take_down(kube)
    again = await_state(kube, "Open")
    kube.reset("cb", "inventory", "first")
    kube.run("annotate", "cb", "inventory", "example.com/touched=1", "--overwrite")
    time.sleep(3)
    assert breaker(kube)["state"] == "Open"
    assert breaker(kube)["epoch"] == again["epoch"] > opened["epoch"]
    assert breaker(kube)["lastHandledResetAt"] == "first"


def test_a_workload_breaker_follows_the_ready_replicas(kube: Kube) -> None:
    kube.run("patch", "cb", "web", "--type=merge", "-p", '{"spec":{"probe":{"interval":"1s","timeout":"1s"}}}')
    kube.run("scale", "deployment/web", "--replicas=0")
    wait_for(lambda: status(kube.get("cb", "web")).get("state") == "Open", "breaker web opens")
    assert "scaled" in status(kube.get("cb", "web"))["message"] or "0 of 0" in status(kube.get("cb", "web"))["message"]
