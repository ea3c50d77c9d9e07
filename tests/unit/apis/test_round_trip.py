"""Types to the wire and back: nothing is lost, and what a newer version wrote does not stop an older one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ultra_recovery.apis.circuit_breaker import BreakerState, CircuitBreakerSpec, CircuitBreakerStatus, OverrideState
from ultra_recovery.apis.meta import Condition, format_duration, format_time, parse_duration
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.apis.run_status import RecoveryRunStatus, RunPhase

durations = st.integers(1, 3600).map(lambda seconds: timedelta(seconds=seconds))
thresholds = st.integers(1, 100)
moments = st.integers(0, 4_000_000_000_000).map(
    lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)
texts = st.text(max_size=64)

breakers = st.builds(
    lambda **fields: CircuitBreakerSpec.model_validate({"target": {"workload": TARGET}, **fields}),
    recoveryTimeout=durations,
    openMax=durations,
    failureThreshold=thresholds,
    successThreshold=thresholds,
    probe=st.fixed_dictionaries({"interval": durations}, optional={"retryInterval": durations}),
    window=st.none()
    | st.fixed_dictionaries(
        {"minimumCalls": thresholds, "failureRatePercent": thresholds},
        optional={
            "time": st.fixed_dictionaries({"duration": durations}),
            "count": st.fixed_dictionaries({"size": thresholds}),
            "slowCall": st.fixed_dictionaries({"duration": durations, "ratePercent": thresholds}),
        },
    ),
    override=st.none()
    | st.fixed_dictionaries(
        {"state": st.sampled_from(list(OverrideState))}, optional={"until": moments, "reason": texts}
    ),
)
statuses = st.builds(
    CircuitBreakerStatus,
    state=st.none() | st.sampled_from(BreakerState),
    since=st.none() | moments,
    message=st.none() | texts,
    consecutive_failures=st.integers(0, 1000),
    handled_resets=st.none() | st.lists(texts, max_size=8),
    conditions=st.lists(
        st.fixed_dictionaries(
            {
                "type": texts,
                "status": st.sampled_from(["True", "False", "Unknown"]),
                "reason": texts,
                "message": texts,
                "lastTransitionTime": moments,
            }
        ).map(Condition.model_validate),
        max_size=3,
    ),
)

TARGET = {"kind": "Deployment", "name": "web"}
POLICY: dict[str, Any] = {
    "targetRef": TARGET,
    "triggers": [{"name": "pods", "podUnhealthy": {}, "for": "30s"}, {"name": "db", "circuitOpen": {"breaker": "db"}}],
    "ladder": [{"name": "restart", "action": {"restartPods": {"pods": "All"}}, "timeout": "1m30s"}],
}


@given(breakers)
def test_a_breaker_comes_back_from_the_wire_as_it_was(spec: CircuitBreakerSpec):
    assert CircuitBreakerSpec.model_validate(spec.to_wire()) == spec


@given(statuses)
def test_a_status_comes_back_from_the_wire_as_it_was(status: CircuitBreakerStatus):
    assert CircuitBreakerStatus.model_validate(status.to_wire()) == status


def test_a_policy_is_read_and_written_with_the_names_of_the_wire():
    spec = RecoveryPolicySpec.model_validate(POLICY)
    wire = spec.to_wire()
    assert spec.triggers[0].hold == timedelta(seconds=30)
    assert (wire["triggers"][0]["for"], wire["ladder"][0]["timeout"]) == ("30s", "1m30s")
    assert "circuitOpen" not in wire["triggers"][0]
    assert RecoveryPolicySpec.model_validate(wire) == spec


def test_a_field_of_a_newer_version_does_not_stop_an_older_operator():
    spec = RecoveryPolicySpec.model_validate({**POLICY, "newerField": {"deep": 1}})
    assert spec == RecoveryPolicySpec.model_validate(POLICY)


def test_an_empty_status_is_what_a_new_object_has():
    assert CircuitBreakerStatus.model_validate({}).state is None
    assert RecoveryRunStatus.model_validate({}).phase is None


@pytest.mark.parametrize("phase", RunPhase, ids=str)
def test_a_run_is_over_in_every_phase_but_the_first_three(phase: RunPhase):
    assert phase.completed is (phase not in (RunPhase.PENDING, RunPhase.AWAITING_APPROVAL, RunPhase.RUNNING))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("500ms", 0.5), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1m30s", 90), ("1h1m1s1ms", 3661.001)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "-5s", "1.5h", "5 m", "30s\n", "1d", "1h1h1h1h1h", "1234567s", "٣s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="such as 30s, 5m or 1h30m"):
        parse_duration(text)


@given(st.integers(0, 24 * 3600 * 1000))
def test_a_duration_survives_being_written(milliseconds: int):
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


def test_a_moment_is_written_in_utc_with_milliseconds():
    noon = datetime(2026, 1, 1, 13, 0, 0, 1999, timezone(timedelta(hours=1)))
    assert format_time(noon) == "2026-01-01T12:00:00.001Z"


@pytest.mark.parametrize(
    "text", ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00+00:00", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00:00"]
)
def test_a_moment_that_was_read_shares_one_zone_with_all_others(text: str):
    condition = Condition(type="Ready", status="True", reason="R", message="", last_transition_time=text)  # type: ignore[arg-type]
    assert condition.last_transition_time == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert condition.last_transition_time.tzinfo is UTC


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_an_end_beyond_the_calendar_is_a_wrong_spec_and_no_crash(text: str):
    with pytest.raises(ValidationError, match="from year 1 to year 9999"):
        CircuitBreakerSpec.model_validate(
            {"target": {"workload": TARGET}, "override": {"state": "Disabled", "until": text}}
        )


def test_the_end_of_an_override_is_kept_as_a_status_repeats_it():
    wanted = {"state": "Disabled", "until": "2026-01-01T13:00:00.123456+01:00"}
    spec = CircuitBreakerSpec.model_validate({"target": {"workload": TARGET}, "override": wanted})
    assert spec.override is not None
    assert spec.to_wire()["override"]["until"] == "2026-01-01T12:00:00.123Z"
    assert CircuitBreakerSpec.model_validate(spec.to_wire()) == spec


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("failureThreshold", 0, id="below its minimum"),
        pytest.param("failureThreshold", 101, id="above its maximum"),
        pytest.param("recoveryTimeout", "soon", id="no duration"),
        pytest.param("target", None, id="required"),
    ],
)
def test_a_type_refuses_what_a_crd_of_another_version_let_through(path: str, value: object):
    with pytest.raises(ValidationError) as caught:
        CircuitBreakerSpec.model_validate({"target": {"workload": TARGET}, path: value})
    assert caught.value.errors()[0]["loc"] == (path,)


def test_an_object_is_never_changed_in_memory():
    spec = CircuitBreakerSpec.model_validate({"target": {"workload": TARGET}})
    with pytest.raises(ValidationError, match="frozen"):
        spec.failure_threshold = 1
