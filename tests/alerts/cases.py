"""What each alert does with which series: when it fires, when not, and at which edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BREAKER = 'breaker="db",namespace="shop"'
POLICY = 'namespace="shop",policy="web"'
POD = 'namespace="ultra-recovery",pod="ultra-recovery-0"'
OTHER_POD = 'namespace="ultra-recovery",pod="ultra-recovery-1"'
LEADER = f'leader_election_master_status{{name="ultra-recovery-leader",{POD}}}'
FOLLOWER = f'leader_election_master_status{{name="ultra-recovery-leader",{OTHER_POD}}}'
OPEN_SINCE = f"recovery_breaker_open_since_timestamp_seconds{{{BREAKER}}}"
DOWN_SINCE = f"recovery_target_unavailable_since_timestamp_seconds{{{POLICY}}}"
RUN_SINCE = f"recovery_run_start_timestamp_seconds{{{POLICY}}}"
ENDED = 'recovery_runs_total{%s,phase="%s",reason="x"}'
DROPPED = f"recovery_notifications_dropped_total{{{POD}}}"
LOST = f'recovery_notifications_total{{outcome="Failed",{POD}}}'
TOLD = f'recovery_notifications_total{{outcome="Delivered",{POD}}}'
ON_BREAKER = {"namespace": "shop", "breaker": "db"}
ON_POLICY = {"namespace": "shop", "policy": "web"}


def blocked(reason: str) -> str:
    """The series of a policy that a gate holds."""
    return f'recovery_policy_blocked_since_timestamp_seconds{{{POLICY},reason="{reason}"}}'


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert that fires: its labels beside the severity, and what it says."""

    labels: Mapping[str, str]
    description: str


@dataclass(frozen=True, slots=True)
class Case:
    """Series, one sample in thirty seconds from the moment 0 on, and what fires at which moment."""

    alert: str
    name: str
    series: Mapping[str, str]
    fires: Mapping[str, Fired | None] = field(default_factory=dict)


UNTOLD = Fired({}, "Notifications of recoveries were dropped, or could not be delivered, in the last fifteen minutes.")
OUTDATED = Fired(
    {"namespace": "ultra-recovery"},
    "The operator in namespace ultra-recovery needs newer CRDs than the cluster has, and does not start.",
)
FAILED = Fired(
    {**ON_POLICY, "phase": "Failed"}, "A run of RecoveryPolicy shop/web ended Failed in the last ten minutes."
)
CASES = (
    Case(
        "UltraRecoveryConsecutiveFailures",
        "four-in-a-row-are-too-many-and-three-are-not",
        {f"recovery_breaker_consecutive_failures{{{BREAKER}}}": "_ 1 2 3 4 5 _"},
        {
            "1m30s": None,
            "2m": Fired(ON_BREAKER, "CircuitBreaker shop/db: 4 failures in a row."),
            "2m30s": Fired(ON_BREAKER, "CircuitBreaker shop/db: 5 failures in a row."),
            "8m30s": None,
        },
    ),
    Case(
        "UltraRecoveryCircuitOpen",
        "from-the-first-scrape-on-that-sees-it-until-it-is-closed",
        {OPEN_SINCE: "_ _ 40 40 40 stale"},
        {
            "30s": None,
            "1m": Fired(ON_BREAKER, "CircuitBreaker shop/db is not Closed: its dependency counts as broken."),
            "2m": Fired(ON_BREAKER, "CircuitBreaker shop/db is not Closed: its dependency counts as broken."),
            "2m30s": None,
        },
    ),
    Case(
        "UltraRecoveryServiceDown",
        "not-for-a-breaker-that-closes-in-time",
        {OPEN_SINCE: "_ 30x10 stale"},
        {"5m30s": None, "6m": None},
    ),
    Case(
        "UltraRecoveryServiceDown",
        "the-edge-is-five-minutes-and-a-new-leader-does-not-begin-to-count-again",
        {
            f'{OPEN_SINCE[:-1]},pod="a"}}': "_ 30x5 stale",
            f'{OPEN_SINCE[:-1]},pod="b"}}': "_x7 30x20",
        },
        {
            "5m30s": None,
            "6m": Fired(ON_BREAKER, "The dependency behind CircuitBreaker shop/db has been down for 5m 30s."),
        },
    ),
    Case(
        "UltraRecoveryServiceDown",
        "a-target-without-a-ready-replica-for-more-than-five-minutes",
        {DOWN_SINCE: "_ 30x12 stale"},
        {
            "5m30s": None,
            "6m": Fired(ON_POLICY, "The target of RecoveryPolicy shop/web has been down for 5m 30s."),
            "7m": None,
        },
    ),
    Case(
        "UltraRecoveryLongRecovery",
        "a-run-of-more-than-five-minutes",
        {RUN_SINCE: "_ 30x12 stale"},
        {
            "5m30s": None,
            "6m": Fired(ON_POLICY, "A run of RecoveryPolicy shop/web has gone on for 5m 30s."),
            "7m": None,
        },
    ),
    Case(
        "UltraRecoveryLongRecovery",
        "runs-one-after-the-other-are-not-one-long-one",
        {RUN_SINCE: "0x8 240x8 480x8"},
        {"5m": None, "8m30s": None, "11m": None},
    ),
    Case(
        "UltraRecoveryRunFailed",
        "the-first-one-that-is-ever-counted",
        {ENDED % (POLICY, "Failed"): "_x4 1x40"},
        {
            "1m30s": None,
            "3m": FAILED,
            "11m": FAILED,
            "13m": None,
        },
    ),
    Case(
        "UltraRecoveryRunFailed",
        "one-more-after-a-long-time",
        {ENDED % (POLICY, "Error"): "1x40 2x40"},
        {
            "19m": None,
            "21m": Fired(
                {**ON_POLICY, "phase": "Error"},
                "A run of RecoveryPolicy shop/web ended Error in the last ten minutes.",
            ),
            "32m": None,
        },
    ),
    Case(
        "UltraRecoveryRunFailed",
        "not-for-runs-that-helped-or-were-cancelled",
        {ENDED % (POLICY, "Succeeded"): "0+1x40", ENDED % (POLICY, "Cancelled"): "_x4 1x40"},
        {"5m": None, "15m": None},
    ),
    Case(
        "UltraRecoveryNeedsHuman",
        "until-somebody-resets-the-policy",
        {f"recovery_policy_needs_human{{{POLICY}}}": "0 0 1 1 0"},
        {
            "30s": None,
            "1m": Fired(
                ON_POLICY, "RecoveryPolicy shop/web has used all its attempts and does nothing more until it is reset."
            ),
            "2m": None,
        },
    ),
    Case(
        "UltraRecoveryBlocked",
        "a-gate-that-refuses-for-more-than-fifteen-minutes",
        {blocked("DependencyOpen"): "_ 30x32 stale"},
        {
            "15m30s": None,
            "16m": Fired(
                {**ON_POLICY, "reason": "DependencyOpen"},
                "The gate DependencyOpen has refused the recovery of RecoveryPolicy shop/web for 15m 30s.",
            ),
            "17m": None,
        },
    ),
    Case("UltraRecoveryBlocked", "a-budget-has-an-alert-of-its-own", {blocked("Budget"): "30x60"}, {"20m": None}),
    Case(
        "UltraRecoveryBudgetExhausted",
        "more-than-a-minute",
        {blocked("Budget"): "_ 30x5 stale"},
        {
            "1m30s": None,
            "2m": Fired(ON_POLICY, "A budget has refused the recovery of RecoveryPolicy shop/web for 1m 30s."),
            "3m30s": None,
        },
    ),
    Case("UltraRecoveryBudgetExhausted", "not-for-other-gates", {blocked("Storm"): "30x20"}, {"5m": None}),
    Case(
        "UltraRecoveryNotEnforced",
        "a-breaker-that-is-stalled-for-ten-minutes",
        {f"recovery_breaker_stalled{{{BREAKER}}}": "_ 1x22 stale"},
        {
            "10m": None,
            "10m30s": Fired(ON_BREAKER, "CircuitBreaker shop/db has been Stalled for ten minutes."),
            "12m": None,
        },
    ),
    Case(
        "UltraRecoveryNotEnforced",
        "a-policy-that-is-stalled-for-ten-minutes",
        {f"recovery_policy_stalled{{{POLICY}}}": "_ 1x30"},
        {"10m": None, "10m30s": Fired(ON_POLICY, "RecoveryPolicy shop/web has been Stalled for ten minutes.")},
    ),
    Case(
        "UltraRecoveryOperatorDown",
        "nothing-is-scraped-for-five-minutes",
        {f"recovery_table_stale{{{POD}}}": "0x4 stale"},
        {
            "2m": None,
            "7m": None,
            "7m30s": Fired(
                {}, "No replica of Ultra Recovery has been scraped for five minutes; nothing is probed or recovered."
            ),
        },
    ),
    Case(
        "UltraRecoveryOperatorDown",
        "one-replica-is-enough",
        {f"recovery_table_stale{{{POD}}}": "0x4 stale", f"recovery_table_stale{{{OTHER_POD}}}": "0x40"},
        {"15m": None},
    ),
    Case(
        "UltraRecoveryNoLeader",
        "no-replica-leads-for-two-minutes",
        {LEADER: "1x4 0x20", FOLLOWER: "0x24"},
        {
            "2m": None,
            "4m": None,
            "4m30s": Fired(
                {"namespace": "ultra-recovery"},
                "No replica of Ultra Recovery in namespace ultra-recovery has led for two minutes; nothing is probed "
                "or recovered.",
            ),
        },
    ),
    Case(
        "UltraRecoveryNoLeader",
        "a-takeover-is-no-reason",
        {LEADER: "1x4 0x20", FOLLOWER: "0x5 1x20"},
        {"4m30s": None, "8m": None},
    ),
    Case(
        "UltraRecoveryStale",
        "a-view-that-is-out-of-date-for-two-minutes",
        {f"recovery_table_stale{{{POD}}}": "0 1x6 0"},
        {
            "2m": None,
            "2m30s": Fired(
                {"namespace": "ultra-recovery", "pod": "ultra-recovery-0"},
                "Pod ultra-recovery-0 has not been able to list the objects of the cluster for more than three "
                "minutes.",
            ),
            "4m": None,
        },
    ),
    Case(
        "UltraRecoveryStuck",
        "a-queue-that-lags-for-a-minute",
        {f'recovery_queue_lag_seconds{{queue="runs",{POD}}}': "0 120x4 150x4 0"},
        {
            "2m30s": None,
            "3m": None,
            "4m": Fired({"queue": "runs"}, "Something in the queue of runs has been due or in work for 2m 30s."),
            "5m30s": None,
        },
    ),
    Case(
        "UltraRecoveryNotificationLost",
        "one-was-dropped",
        {DROPPED: "0x4 1x60", LOST: "0x64", TOLD: "0+1x64"},
        {
            "2m": None,
            "4m": UNTOLD,
            "19m": None,
        },
    ),
    Case(
        "UltraRecoveryNotificationLost",
        "one-could-not-be-delivered",
        {DROPPED: "0x64", LOST: "0x4 1x60"},
        {
            "2m": None,
            "4m": UNTOLD,
            "19m": None,
        },
    ),
    Case(
        "UltraRecoveryCrdsOutdated",
        "also-between-two-starts-of-a-process-that-ends-again-and-again",
        {f"recovery_crds_outdated{{{POD}}}": "0 1 1 stale _x10 0"},
        {
            "0m": None,
            "30s": OUTDATED,
            "5m": OUTDATED,
            "7m": None,
        },
    ),
)
