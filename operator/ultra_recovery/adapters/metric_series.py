"""Every series of the operator's /metrics, once: name, type, meaning, labels. The reference page is made from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for probes."""
LONG = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
"""Buckets for recoveries."""


class Type(StrEnum):
    """Types of series."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Series:
    """One series: what `/metrics` says of it."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_POLICY = ("namespace", "policy")
_ENDED = (*_POLICY, "phase", "reason")
_BREAKER = ("namespace", "breaker")
_C, _G, _H = Type.COUNTER, Type.GAUGE, Type.HISTOGRAM

SERIES = (
    Series("recovery_breaker_state", _G, "State of a breaker: 0 Closed, 1 Open, 2 HalfOpen.", _BREAKER),
    Series("recovery_breaker_consecutive_failures", _G, "Failures in a row; absent while there is none.", _BREAKER),
    Series(
        "recovery_breaker_open_since_timestamp_seconds",
        _G,
        "Since when a breaker is not Closed; absent while it is, or is overridden.",
        _BREAKER,
    ),
    Series("recovery_breaker_stalled", _G, "1 while a breaker cannot be enforced, else absent.", _BREAKER),
    Series("recovery_breaker_transitions_total", _C, "Transitions of a breaker, by new state.", (*_BREAKER, "to")),
    Series(
        "recovery_probes_total",
        _C,
        "Probes; target_kind is http, tcp, prometheus, workload, postgres, mysql or unknown.",
        (*_BREAKER, "outcome", "target_kind"),
    ),
    Series(
        "recovery_pool_connections",
        _G,
        "Connections of a database by state: used, free, idle_in_transaction, waiting or blocked; none while unknown.",
        (*_BREAKER, "state"),
    ),
    Series("recovery_pool_limit", _G, "Connections that a database accepts from the application.", _BREAKER),
    Series("recovery_pool_longest_transaction_seconds", _G, "Age of the oldest open transaction.", _BREAKER),
    Series("recovery_pool_longest_query_seconds", _G, "How long the longest statement has been running.", _BREAKER),
    Series("recovery_probe_duration_seconds", _H, "Time that probes took.", ("target_kind",), SHORT),
    Series(
        "recovery_decisions_total",
        _C,
        "New decisions: Idle, Wait, Hold (a gate refuses) or StartRun.",
        (*_POLICY, "decision", "reason"),
    ),
    Series("recovery_incidents_total", _C, "Incidents opened, recovered, returned, closed.", (*_POLICY, "reason")),
    Series("recovery_runs_total", _C, "Completed runs, dry ones not, by how and why they ended.", _ENDED),
    Series("recovery_dry_runs_total", _C, "Completed dry runs: they touch nothing and count nowhere else.", _POLICY),
    Series("recovery_waits_total", _C, "Waits of runs and steps, by the gate that refused.", (*_POLICY, "reason")),
    Series("recovery_run_duration_seconds", _H, "From the start of a run to its end.", _POLICY, LONG),
    Series("recovery_time_to_detect_seconds", _H, "From the first bad observation to detection.", _POLICY, LONG),
    Series("recovery_time_to_recover_seconds", _H, "From the first bad observation to recovery.", _POLICY, LONG),
    Series("recovery_attempts_total", _C, "Completed runs that had an effect on anything but people.", _POLICY),
    Series("recovery_effects_total", _C, "Effects, by what became of them.", (*_POLICY, "kind", "outcome")),
    Series("recovery_active_runs", _G, "Runs that are not completed.", _POLICY),
    Series("recovery_runs_awaiting_approval", _G, "Runs that wait for a person's approval.", _POLICY),
    Series(
        "recovery_run_start_timestamp_seconds",
        _G,
        "When the oldest running run began, later by its waits for approval; absent without one.",
        _POLICY,
    ),
    Series(
        "recovery_target_unavailable_since_timestamp_seconds",
        _G,
        "Since when no replica of a policy's target is Ready; absent while one is, or none is wanted.",
        _POLICY,
    ),
    Series(
        "recovery_policy_blocked_since_timestamp_seconds",
        _G,
        "Since when a gate (reason) refuses a recovery that is due; absent while none does.",
        (*_POLICY, "reason"),
    ),
    Series("recovery_policy_needs_human", _G, "1 while all attempts of the incident are used up, else 0.", _POLICY),
    Series("recovery_policy_stalled", _G, "1 while a policy cannot be enforced, else absent.", _POLICY),
    Series("recovery_queue_lag_seconds", _G, "Time for which something has been due or in work.", ("queue",)),
    Series("leader_election_master_status", _G, "1 on the replica that leads, else 0.", ("name",)),
    Series("recovery_enforcement_problems_total", _C, "Objects found not enforceable.", ("namespace", "reason")),
    Series("recovery_events_dropped_total", _C, "Kubernetes Events that could not be posted."),
    Series("recovery_leader_term", _G, "The term in which this replica leads; 0 while it does not."),
    Series("recovery_clock_skew_seconds", _G, "How far the wall clock has jumped since the process began."),
    Series("recovery_notifications_total", _C, "Notifications: Delivered, or Failed for good.", ("outcome",)),
    Series("recovery_notifications_dropped_total", _C, "Not taken: 1000 wait, or above 64 KiB."),
    Series("recovery_table_stale", _G, "1 while the view of the cluster is too old to act on."),
    Series("recovery_crds_outdated", _G, "1 while CRDs of the cluster are missing or too old for this version."),
)
