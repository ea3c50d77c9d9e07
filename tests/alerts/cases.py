"""What each alert does with which series: when it fires, when not, and at which edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BREAKER = 'breaker="db",namespace="shop"'
POLICY = 'namespace="shop",policy="web"'
OPEN_SINCE = f"recovery_breaker_open_since_timestamp_seconds{{{BREAKER}}}"
DOWN_SINCE = f"recovery_target_unavailable_since_timestamp_seconds{{{POLICY}}}"
RUN_SINCE = f"recovery_run_start_timestamp_seconds{{{POLICY}}}"
ENDED = 'recovery_runs_total{%s,phase="%s",reason="x"}'
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


FAILED = Fired(
    {**ON_POLICY, "phase": "Failed"}, "A run of RecoveryPolicy shop/web ended Failed in the last ten minutes."
)
SERVICE_CASES = (
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
)
