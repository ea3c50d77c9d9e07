"""Maintenance windows open and close by the clock, across a restart of the operator too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from e2e.install import read, restart_operator
from e2e.kube import Kube, condition, status, wait_for
from e2e.records import await_decision, await_end, await_run, make_sick, outcome
from e2e.small import apply, create, policy, workload

ROOM = timedelta(seconds=30)


def window(effect: str, opens: datetime, duration: timedelta) -> dict[str, str]:
    """A window that opens at a full minute of today."""
    schedule = f"{opens.minute} {opens.hour} * * *"
    return {"name": "w", "effect": effect, "schedule": schedule, "duration": f"{int(duration.total_seconds())}s"}


@pytest.mark.failure(
    of="Limits",
    what="A recovery is due in a maintenance window",
    see="the step waits with `MaintenanceWindow`, also after a restart of the operator",
    bound="to the minute",
)
def test_one_window_closes_and_one_opens_at_the_same_minute_although_the_operator_was_restarted(
    empty: Kube, operator: Kube
) -> None:
    create(empty, workload("closes"), workload("opens"))
    begun = datetime.now(UTC).replace(second=0, microsecond=0)
    turn = (datetime.now(UTC) + ROOM).replace(second=0, microsecond=0) + timedelta(minutes=1)
    apply(
        empty,
        policy("closes", maintenanceWindows=[window("Deny", begun, turn - begun)]),
        policy("opens", maintenanceWindows=[window("Allow", turn, timedelta(minutes=10))]),
    )
    for name in ("closes", "opens"):
        make_sick(empty, name)
    for name in ("closes", "opens"):
        await_decision(empty, name, "MaintenanceWindow")
    restart_operator(operator)
    for name in ("closes", "opens"):
        run = await_end(empty, await_run(empty, name, seconds=120)["metadata"]["name"])
        assert outcome(run)[0] == "Succeeded", status(run)
        assert datetime.fromisoformat(status(run)["startedAt"]) >= turn


def test_the_example_of_a_maintenance_window_is_enforced(empty: Kube) -> None:
    create(empty, workload("web"))
    empty.apply(read("examples/maintenance-window/recoverypolicy.yaml"))
    wait_for(lambda: condition(empty.get("rp", "web"), "Ready").get("status") == "True", "the policy is enforced")
