"""What each alert on the operator itself does with which series."""

from __future__ import annotations

from tests.alerts.cases import Case, Fired

POD = 'namespace="ultra-recovery",pod="ultra-recovery-0"'
OTHER_POD = 'namespace="ultra-recovery",pod="ultra-recovery-1"'
LEADER = f'leader_election_master_status{{name="ultra-recovery-leader",{POD}}}'
FOLLOWER = f'leader_election_master_status{{name="ultra-recovery-leader",{OTHER_POD}}}'
DROPPED = f"recovery_notifications_dropped_total{{{POD}}}"
LOST = f'recovery_notifications_total{{outcome="Failed",{POD}}}'
TOLD = f'recovery_notifications_total{{outcome="Delivered",{POD}}}'
UNTOLD = Fired({}, "Notifications of recoveries were dropped, or could not be delivered, in the last fifteen minutes.")
OUTDATED = Fired(
    {"namespace": "ultra-recovery"},
    "The operator in namespace ultra-recovery needs newer CRDs than the cluster has, and does not start.",
)
OPERATOR_CASES = (
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
    Case(
        "UltraRecoveryClockSkew",
        "a-clock-that-was-set-by-more-than-five-seconds-either-way",
        {
            f"recovery_clock_skew_seconds{{{POD}}}": "0 5x4 -6x6 0",
            f"recovery_clock_skew_seconds{{{OTHER_POD}}}": "0x12",
        },
        {
            "2m": None,
            "3m30s": None,
            "4m": Fired(
                {"namespace": "ultra-recovery", "pod": "ultra-recovery-0"},
                "The wall clock of pod ultra-recovery-0 has moved by 6s since its process began.",
            ),
            "6m30s": None,
        },
    ),
)
