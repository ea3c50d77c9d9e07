"""Resets, names, health of pods, conditions, the ladder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.apis.meta import format_duration, parse_duration
from ultra_recovery.apis.reasons import ConditionType, Reason
from ultra_recovery.core.conditions import Wanted, merge
from ultra_recovery.core.health import PodHealth, judge_pod, share_of
from ultra_recovery.core.naming import run_name
from ultra_recovery.core.objects import Key, Kind, Meta, Pod
from ultra_recovery.core.resets import read_reset

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("value", "handled", "first", "fires"),
    [
        pytest.param(None, (), False, False, id="no annotation"),
        pytest.param("1", (), True, False, id="adopted at the first visit"),
        pytest.param("1", (), False, True, id="new"),
        pytest.param("1", ("1",), False, False, id="handled"),
        pytest.param("1", ("1", "2"), False, False, id="an older value comes back"),
        pytest.param("  ", (), False, False, id="blank"),
    ],
)
def test_a_reset_value_fires_once(value, handled, first, fires):
    assert read_reset(value, handled, first_visit=first).fire is fires


def test_the_last_eight_reset_values_are_kept():
    request = read_reset("new", tuple("12345678"), first_visit=False)
    assert request.handled == (*"2345678", "new")


@given(st.text("abcdefghij-", min_size=1, max_size=253), st.integers(1, 10**9), st.integers(1, 10**6))
def test_names_of_runs_fit_and_are_stable(policy, incident, sequence):
    name = run_name(policy, incident, sequence)
    assert len(name) <= 253
    assert name == run_name(policy, incident, sequence) != run_name(policy, incident, sequence + 1)


@given(st.integers(0, 10**9))
def test_durations_are_read_as_they_are_written(milliseconds):
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


FRESH = Meta(Key(Kind.POD, "shop", "web-2"), "v", "1", created_at=NOW - timedelta(seconds=5))


def pod(**changes) -> Pod:
    meta = Meta(Key(Kind.POD, "shop", "web-1"), "u", "1", created_at=NOW - timedelta(hours=1))
    usual = {"meta": meta, "phase": "Running", "started_at": NOW - timedelta(hours=1)}
    return Pod(**{**usual, **changes})


@pytest.mark.parametrize(
    ("seen", "was_ready", "expected"),
    [
        pytest.param(pod(ready=True), False, PodHealth.HEALTHY, id="ready"),
        pytest.param(pod(), True, PodHealth.UNHEALTHY, id="was ready"),
        pytest.param(pod(), False, PodHealth.UNHEALTHY, id="never ready, grace over"),
        pytest.param(pod(started_at=NOW), False, PodHealth.STARTING, id="never ready, within the grace"),
        pytest.param(
            pod(started_at=NOW, ready_changed_at=NOW, containers_started_at=NOW - timedelta(seconds=9)),
            False,
            PodHealth.UNHEALTHY,
            id="its own condition shows that it was ready",
        ),
        pytest.param(pod(phase="Pending"), True, PodHealth.NOT_COUNTED, id="pending for long"),
        pytest.param(pod(phase="Pending", meta=FRESH), False, PodHealth.STARTING, id="pending and new"),
        pytest.param(
            pod(phase="Pending", meta=FRESH, waiting=("ErrImagePull",)),
            False,
            PodHealth.NOT_COUNTED,
            id="new, no image",
        ),
        pytest.param(pod(phase="Succeeded"), True, PodHealth.NOT_COUNTED, id="finished"),
        pytest.param(pod(waiting=("CrashLoopBackOff",)), True, PodHealth.NOT_COUNTED, id="crash loop"),
        pytest.param(pod(waiting=("ImagePullBackOff",)), False, PodHealth.NOT_COUNTED, id="image"),
    ],
)
def test_health_of_a_pod(seen, was_ready, expected):
    assert judge_pod(seen, was_ready=was_ready, grace=GRACE, now=NOW) is expected


@pytest.mark.parametrize(
    ("percent", "replicas", "expected"), [("50%", 3, 2), ("50%", 4, 2), ("0%", 9, 0), ("100%", 3, 3)]
)
def test_shares_are_rounded_up(percent, replicas, expected):
    assert share_of(percent, replicas) == expected


def test_the_transition_time_changes_only_with_the_status():
    first = merge([], [Wanted(ConditionType.READY, "True", Reason.ENFORCED)], 1, NOW)
    later = NOW + timedelta(minutes=1)
    same = merge(first, [Wanted(ConditionType.READY, "True", Reason.PROGRESSING)], 2, later)
    other = merge(same, [Wanted(ConditionType.READY, "False", Reason.INVALID_SPEC)], 2, later)
    assert [item[0].last_transition_time for item in (first, same, other)] == [NOW, NOW, later]
