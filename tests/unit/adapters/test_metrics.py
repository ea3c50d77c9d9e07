"""Notices become series."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ultra_recovery.adapters.metric_series import SERIES
from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.adapters.standing_gauges import STANDING_GAUGES, standing_samples
from ultra_recovery.apis.circuit_breaker import BreakerState
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.call import Delivery
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Key, Kind
from ultra_recovery.core.standing import BreakerStanding, PolicyStanding, Standing

POLICY = {"namespace": "shop", "policy": "orders"}
MOMENT = datetime.fromtimestamp(1_764_000_000, UTC)
BREAKER = {"namespace": "shop", "breaker": "db"}


@pytest.fixture
def metrics() -> MetricsSink:
    return MetricsSink()


def notice(
    topic: Topic, labels: Any = None, values: Any = None, reason: Reason = Reason.HEALTHY, **more: Any
) -> Notice:
    key = Key(Kind.POLICY, "shop", "orders")
    return Notice(topic, key, "u", reason, "m", labels=labels or {}, values=values or {}, **more)


def lines(metrics: MetricsSink) -> list[str]:
    text = metrics.render()[0].decode()
    return [line for line in text.splitlines() if not line.startswith("#") and "_created" not in line]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            notice(Topic.BREAKER_TRANSITION, {**BREAKER, "to": "Open"}),
            'recovery_breaker_transitions_total{breaker="db",namespace="shop",to="Open"} 1.0',
        ),
        (
            notice(Topic.BREAKER_PROBE, {**BREAKER, "outcome": "Success", "target_kind": "http"}),
            'recovery_probes_total{breaker="db",namespace="shop",outcome="Success",target_kind="http"} 1.0',
        ),
        (
            notice(Topic.BREAKER_PROBE, {**BREAKER, "target_kind": "http"}, {"duration": 0.02}),
            'recovery_probe_duration_seconds_bucket{le="0.025",target_kind="http"} 1.0',
        ),
        (
            notice(Topic.DECISION, {**POLICY, "decision": "Hold"}),
            'recovery_decisions_total{decision="Hold",namespace="shop",policy="orders",reason="Healthy"} 1.0',
        ),
        (
            notice(Topic.INCIDENT, POLICY, reason=Reason.INCIDENT_OPENED),
            'recovery_incidents_total{namespace="shop",policy="orders",reason="IncidentOpened"} 1.0',
        ),
        (
            notice(Topic.ENFORCEMENT, POLICY, reason=Reason.INVALID_SPEC, warning=True),
            'recovery_enforcement_problems_total{namespace="shop",reason="InvalidSpec"} 1.0',
        ),
        (
            notice(Topic.EFFECT, {**POLICY, "kind": "Evict", "outcome": "Evicted"}),
            'recovery_effects_total{kind="Evict",namespace="shop",outcome="Evicted",policy="orders"} 1.0',
        ),
        (
            notice(Topic.WAIT, {**POLICY, "step": "restart"}, reason=Reason.QUORUM),
            'recovery_waits_total{namespace="shop",policy="orders",reason="Quorum"} 1.0',
        ),
        (
            notice(Topic.LEADERSHIP, {"name": "ultra-recovery-leader"}, {"leader": 1.0}),
            'leader_election_master_status{name="ultra-recovery-leader"} 1.0',
        ),
    ],
)
def test_a_notice_is_counted(metrics: MetricsSink, told: Notice, line: str):
    metrics.publish(told)
    assert line in lines(metrics)


def test_a_completed_run_is_counted_with_its_times(metrics: MetricsSink):
    values = {"duration": 12.0, "time_to_detect": 3.0, "time_to_recover": 40.0}
    metrics.publish(notice(Topic.RUN, {**POLICY, "phase": "Succeeded", "attempt": "true"}, values, Reason.VERIFIED))
    found = lines(metrics)
    own = '{namespace="shop",policy="orders"}'
    ended = 'recovery_runs_total{namespace="shop",phase="Succeeded",policy="orders",reason="Verified"} 1.0'
    assert ended in found
    assert f"recovery_attempts_total{own} 1.0" in found
    assert f"recovery_run_duration_seconds_sum{own} 12.0" in found
    assert f"recovery_time_to_detect_seconds_sum{own} 3.0" in found
    assert f"recovery_time_to_recover_seconds_sum{own} 40.0" in found


def test_a_run_without_effect_is_no_attempt_and_times_that_are_not_known_are_not_recorded(metrics: MetricsSink):
    metrics.publish(notice(Topic.RUN, {**POLICY, "phase": "Cancelled", "attempt": "false"}))
    text = "\n".join(lines(metrics))
    assert "recovery_runs_total{" in text
    assert "recovery_attempts_total{" not in text
    assert "recovery_run_duration_seconds_sum" not in text


def test_a_dry_run_counts_as_nothing_but_a_dry_run(metrics: MetricsSink):
    """It touches nothing and always succeeds: in a success rate it would lie."""
    labels = {**POLICY, "phase": "Succeeded", "attempt": "false", "dry_run": "true"}
    metrics.publish(notice(Topic.RUN, labels, {"duration": 1.0, "time_to_detect": 2.0}, Reason.DRY_RUN))
    metrics.publish(notice(Topic.EFFECT, {**POLICY, "kind": "Evict", "outcome": "DryRun"}))
    counted = [line for line in lines(metrics) if not line.endswith(" 0.0")]
    assert counted == ['recovery_dry_runs_total{namespace="shop",policy="orders"} 1.0']


def test_an_approval_that_is_waited_for_is_a_wait(metrics: MetricsSink):
    metrics.publish(notice(Topic.RUN, {**POLICY, "phase": "AwaitingApproval"}, reason=Reason.AWAITING_APPROVAL))
    assert 'recovery_waits_total{namespace="shop",policy="orders",reason="AwaitingApproval"} 1.0' in lines(metrics)


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_run_that_goes_on_is_not_counted(metrics: MetricsSink, phase: str):
    metrics.publish(notice(Topic.RUN, {**POLICY, "phase": phase, "attempt": "true"}))
    assert not any(line.startswith(("recovery_runs", "recovery_attempts")) for line in lines(metrics))


@pytest.mark.parametrize("topic", list(Topic), ids=str)
def test_a_notice_that_lacks_everything_does_not_raise(metrics: MetricsSink, topic: Topic):
    metrics.publish(notice(topic))
    metrics.render()


def test_a_reset_is_no_decision(metrics: MetricsSink):
    metrics.publish(notice(Topic.DECISION, POLICY, reason=Reason.RESET))
    assert not any(line.startswith("recovery_decisions_total{") for line in lines(metrics))


OPEN = BreakerStanding("shop", "db", BreakerState.OPEN, 7, MOMENT, stalled=True)
CLOSED = BreakerStanding("shop", "db", BreakerState.CLOSED, 0, None, stalled=False)
BUSY = PolicyStanding(
    namespace="shop",
    name="orders",
    active=2,
    awaiting=1,
    run_began_at=MOMENT,
    unavailable_since=MOMENT,
    blocked_since=MOMENT,
    gate="Budget",
    needs_human=True,
    stalled=True,
)
IDLE = PolicyStanding("shop", "orders", 0, 0, None, None, None, "", needs_human=False, stalled=False)


def standing_lines(metrics: MetricsSink) -> list[str]:
    return [line for line in lines(metrics) if line.startswith(STANDING_GAUGES)]


def test_where_objects_stand_is_shown_by_gauges(metrics: MetricsSink):
    metrics.set_standing(Standing([OPEN], [BUSY], {"runs": 1.5}))
    breaker, policy = '{breaker="db",namespace="shop"}', '{namespace="shop",policy="orders"}'
    assert standing_lines(metrics) == [
        f"recovery_breaker_state{breaker} 1.0",
        f"recovery_breaker_consecutive_failures{breaker} 7.0",
        f"recovery_breaker_open_since_timestamp_seconds{breaker} 1.764e+09",
        f"recovery_breaker_stalled{breaker} 1.0",
        f"recovery_active_runs{policy} 2.0",
        f"recovery_runs_awaiting_approval{policy} 1.0",
        f"recovery_run_start_timestamp_seconds{policy} 1.764e+09",
        f"recovery_target_unavailable_since_timestamp_seconds{policy} 1.764e+09",
        'recovery_policy_blocked_since_timestamp_seconds{namespace="shop",policy="orders",reason="Budget"} 1.764e+09',
        f"recovery_policy_needs_human{policy} 1.0",
        f"recovery_policy_stalled{policy} 1.0",
        'recovery_queue_lag_seconds{queue="runs"} 1.5',
    ]


def test_what_is_well_again_has_no_gauge_that_an_alert_would_see(metrics: MetricsSink):
    metrics.set_standing(Standing([OPEN], [BUSY]))
    metrics.set_standing(Standing([CLOSED], [IDLE]))
    assert standing_lines(metrics) == [
        'recovery_breaker_state{breaker="db",namespace="shop"} 0.0',
        'recovery_active_runs{namespace="shop",policy="orders"} 0.0',
        'recovery_runs_awaiting_approval{namespace="shop",policy="orders"} 0.0',
        'recovery_policy_needs_human{namespace="shop",policy="orders"} 0.0',
    ]


def test_the_labels_of_a_gauge_come_in_the_order_of_its_declaration():
    declared = {item.name: item.labels for item in SERIES}
    samples = list(standing_samples(Standing([OPEN], [BUSY], {"runs": 1.5})))
    assert [tuple(labels) for _, labels, _ in samples] == [declared[name] for name, _, _ in samples]
    assert {name for name, _, _ in samples} == set(STANDING_GAUGES)


def test_an_object_that_is_deleted_and_comes_again_has_its_gauges_again(metrics: MetricsSink):
    metrics.set_standing(Standing([OPEN], [BUSY]))
    shown = standing_lines(metrics)
    metrics.forget(Kind.BREAKER, "shop", "db")
    metrics.forget(Kind.POLICY, "shop", "orders")
    metrics.set_standing(Standing())
    assert standing_lines(metrics) == []
    metrics.set_standing(Standing([OPEN], [BUSY]))
    assert standing_lines(metrics) == shown


def test_a_replica_that_does_not_lead_shows_where_nothing_stands(metrics: MetricsSink):
    metrics.set_standing(Standing([OPEN], [BUSY], {"runs": 1.5}))
    metrics.set_standing(Standing())
    assert standing_lines(metrics) == []
    assert 'leader_election_master_status{name="ultra-recovery-leader"} 0.0' in lines(metrics)


def test_crds_that_are_too_old_are_shown(metrics: MetricsSink):
    assert "recovery_crds_outdated 0.0" in lines(metrics)
    metrics.set_crds_outdated(True)
    assert "recovery_crds_outdated 1.0" in lines(metrics)


def test_dropped_events_and_staleness(metrics: MetricsSink):
    metrics.count_dropped_event()
    metrics.set_stale(True)
    assert {"recovery_events_dropped_total 1.0", "recovery_table_stale 1.0"} <= set(lines(metrics))


def test_notifications_are_counted_by_their_end(metrics: MetricsSink):
    metrics.count_notification(Delivery.DELIVERED)
    metrics.count_notification(Delivery.FAILED)
    metrics.count_dropped_notification()
    assert {
        'recovery_notifications_total{outcome="Delivered"} 1.0',
        'recovery_notifications_total{outcome="Failed"} 1.0',
        "recovery_notifications_dropped_total 1.0",
    } <= set(lines(metrics))


def test_a_deleted_object_takes_its_series_and_no_others(metrics: MetricsSink):
    for name in ("db", "cache"):
        metrics.publish(notice(Topic.BREAKER_TRANSITION, {**BREAKER, "breaker": name, "to": "Open"}))
    metrics.publish(notice(Topic.INCIDENT, {**POLICY, "policy": "db"}))
    metrics.forget(Kind.BREAKER, "shop", "db")
    metrics.forget(Kind.BREAKER, "shop", "never seen")
    metrics.forget(Kind.POD, "shop", "db")
    text = "\n".join(lines(metrics))
    assert 'breaker="db"' not in text
    assert 'breaker="cache"' in text
    assert 'policy="db"' in text
    metrics.forget(Kind.POLICY, "shop", "db")
    assert 'policy="db"' not in "\n".join(lines(metrics))


def test_names_follow_the_conventions_of_prometheus():
    assert all(item.name.endswith("_total") == (item.type == "counter") for item in SERIES)
    assert all(bool(item.buckets) == (item.type == "histogram") for item in SERIES)
    assert all(item.help.endswith(".") for item in SERIES)


def test_the_content_type_is_that_of_the_text_format(metrics: MetricsSink):
    assert metrics.render()[1].startswith("text/plain")


@pytest.mark.parametrize(("term", "leads"), [(None, 0), (7, 1)], ids=["standby", "leader"])
def test_who_leads_and_in_which_term_is_shown(metrics: MetricsSink, term: int | None, leads: int):
    metrics.set_leader("ultra-recovery-leader", term)
    found = lines(metrics)
    assert f'leader_election_master_status{{name="ultra-recovery-leader"}} {leads}.0' in found
    assert f"recovery_leader_term {term or 0}.0" in found


def test_the_jump_of_the_wall_clock_is_shown(metrics: MetricsSink):
    metrics.set_clock_skew(-12.5)
    assert "recovery_clock_skew_seconds -12.5" in lines(metrics)
