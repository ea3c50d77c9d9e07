"""Runs in any phase, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.specs import SPECS
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import RecoveryRunStatus, RunPhase, StepState, StepStatus, TargetSnapshot
from ultra_recovery.core.objects import Key, Kind, Meta, Run

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """A moment before NOW."""
    return NOW - timedelta(seconds=seconds)


def run(
    name: str,
    phase: str = "Succeeded",
    *,
    policy: str = "web",
    namespace: str = "shop",
    created: float = 60,
    started: float | None = None,
    finished: float | None = None,
    effects: int = 1,
    target: str = "t1",
    uid: str = "",
    **spec: object,
) -> Run:
    """A run; ages in seconds before NOW: created, started (as created), finished (as started, if it is over)."""
    at = RunPhase(phase)
    began = None if at is RunPhase.PENDING else ago(created if started is None else started)
    ended = (ago(finished) if finished is not None else began) if at.completed else None
    steps = [StepStatus(name="restart", state=StepState.DONE, effect_count=effects)] if began else []
    snapshot = TargetSnapshot(kind="Deployment", name="web", uid=target, generation=1) if target else None
    status = RecoveryRunStatus(
        phase=at, started_at=began, finished_at=ended, steps=steps, target=snapshot, reason="Verified"
    )
    wire = {**SPECS["RecoveryRun"], "policyName": policy, **spec}
    meta = Meta(Key(Kind.RUN, namespace, name), uid or f"uid-{name}", "1", created_at=ago(created))
    return Run(meta, RecoveryRunSpec.model_validate(wire), status)
