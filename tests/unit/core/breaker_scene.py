"""Snapshots and events for tests of the breaker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ultra_recovery.apis.circuit_breaker import (
    BreakerState,
    CircuitBreakerSpec,
    OverrideState,
    ReporterStatus,
    ReportOutcome,
)
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.breaker_state import Event, Happening, Snapshot, first_snapshot
from ultra_recovery.core.breaker_window import Call
from ultra_recovery.core.override import Override
from ultra_recovery.core.probe import Outcome, ProbeResult
from ultra_recovery.core.reports import Reports

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
FORCED, DISABLED, METRICS = OverrideState.FORCED_OPEN, OverrideState.DISABLED, OverrideState.METRICS_ONLY
OUTCOMES = {
    Event.SUCCESS: Outcome.SUCCESS,
    Event.FAILURE: Outcome.FAILURE,
    Event.ERROR: Outcome.ERROR,
    Event.NEUTRAL: Outcome.NEUTRAL,
}
EPOCH = 3


def spec(**fields: Any) -> CircuitBreakerSpec:
    return CircuitBreakerSpec.model_validate({"target": {"workload": {"kind": "Deployment", "name": "web"}}, **fields})


SPEC = spec()
EXTERNAL = spec(target={"external": {"quorum": 2}})


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def override(state: OverrideState, until: float | None = None, reason: str = "") -> Override:
    return Override(state, NOW, at(until) if until is not None else None, reason)


def snapshot(state: BreakerState, over: OverrideState | None = None, **changes: Any) -> Snapshot:
    if over is not None:
        shadow = first_snapshot(NOW) if over is METRICS else None
        return replace(Snapshot(state, EPOCH, NOW, Reason.INITIAL), override=override(over), shadow=shadow, **changes)
    opened = {"trial_at": at(60)} if state is OPEN else {}
    trial = {"half_open_deadline": at(120), "changed_at": NOW} if state is HALF_OPEN else {}
    return replace(Snapshot(state, EPOCH, NOW, Reason.INITIAL), **{**opened, **trial, **changes})


def result(outcome: Outcome, seconds: float = 0.0, took: float = 0.0) -> ProbeResult:
    return ProbeResult(outcome, Reason.PROBE_FAILED, "said so", at(seconds - took), at(seconds))


def happening(
    event: Event,
    seconds: float = 0.0,
    *,
    epoch: int | None = EPOCH,
    took: float = 0.0,
    jitter: float = 0.0,
    over: Override | None = None,
    reports: Reports | None = None,
) -> Happening:
    outcome = OUTCOMES.get(event)
    answer = result(outcome, seconds, took) if outcome else None
    return Happening(event, epoch if answer or reports else None, answer, jitter, over, reports)


def entry(
    name: str, seconds: float = 0.0, *, failures: int = 0, successes: int = 0, epoch: int = EPOCH
) -> ReporterStatus:
    """What a reporter wrote: its last outcome is what it has seen in a row, Neutral when that is nothing."""
    outcome = ReportOutcome.FAILURE if failures else ReportOutcome.SUCCESS if successes else ReportOutcome.NEUTRAL
    return ReporterStatus(
        name=name,
        epoch=epoch,
        consecutive_failures=failures,
        consecutive_successes=successes,
        last_outcome=outcome,
        message="503",
        reported_at=at(seconds),
    )


def reports(*entries: ReporterStatus) -> Reports:
    return Reports(entries)


def calls(text: str, took: float = 0.1, every: float = 1.0) -> tuple[Call, ...]:
    """Calls as letters, the last of them one `every` before NOW: F failed, s slow (10 s), S slow and failed, . good."""
    found = []
    for place, letter in enumerate(reversed(text), start=1):
        seconds = 10.0 if letter in "sS" else took
        found.append(Call(at(-place * every), timedelta(seconds=seconds), letter in "FS"))
    return tuple(reversed(found))
