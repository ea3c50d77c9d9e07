"""What a RecoveryPolicy may say, and what the API server answers when it says something else."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.integration.manifests.rows import GONE, Bad, Good

bad = partial(Bad, "RecoveryPolicy")
good = partial(Good, "RecoveryPolicy")
TRIGGER = "spec.triggers[0]"
STEP = "spec.ladder[0]"
ONE_TRIGGER = "set exactly one kind of trigger: circuitOpen, podUnhealthy, databasePool or errorReported"
ERROR = "spec.triggers[0].errorReported"
WINDOW = "spec.maintenanceWindows[0]"
FIT = "raise limits.timeout or shorten the steps"


def reporting(**fields: object) -> list[dict[str, Any]]:
    """One trigger that counts reports; fields may be changed or left out."""
    full = {"errorTypes": ["CUSTOM_ERROR"], **fields}
    return [{"name": "app", "errorReported": {name: value for name, value in full.items() if value is not GONE}}]


def windows(**fields: object) -> list[dict[str, Any]]:
    """One maintenance window; fields may be changed or left out."""
    full = {"name": "nightly", "schedule": "0 2 * * *", "duration": "1h", **fields}
    return [{name: value for name, value in full.items() if value is not GONE}]


def triggers(count: int) -> list[dict[str, Any]]:
    """So many triggers, each with a name of its own."""
    return [{"name": f"pods-{number}", "podUnhealthy": {}} for number in range(count)]


BAD = [
    bad("targetRef", GONE, "spec.targetRef", "Required value"),
    bad("targetRef.kind", GONE, "spec.targetRef.kind", "Required value"),
    bad("targetRef.kind", "DaemonSet", "spec.targetRef.kind", 'supported values: "Deployment", "StatefulSet"'),
    bad("targetRef.apiVersion", "v1", "spec.targetRef.apiVersion", 'supported values: "apps/v1"'),
    bad("targetRef.name", "", "spec.targetRef.name", "should be at least 1 chars long"),
    bad("targetRef.name", "web_1", "spec.targetRef.name", "lower-case letters, digits, '-' and '.'"),
    bad("targetRef.name", "a" * 254, "spec.targetRef.name", "may not be more than 253"),
    bad("targetRef.namespace", "other", "spec.targetRef.namespace", "unknown field"),
    bad("mode", "auto", "spec.mode", 'supported values: "Auto", "Manual", "DryRun", "Paused"'),
    bad("triggers", GONE, "spec.triggers", "Required value"),
    bad("triggers", [], "spec.triggers", "should have at least 1 items"),
    bad("triggers", triggers(17), "spec.triggers", "must have at most 16 items"),
    bad("triggers", "pods", "spec.triggers", "must be of type array"),
    bad("triggers.1", {"name": "pods", "podUnhealthy": {}}, "spec.triggers[1]", "Duplicate value"),
    bad("triggers.0.name", GONE, f"{TRIGGER}.name", "Required value"),
    bad("triggers.0.name", "Pods!", f"{TRIGGER}.name", "lower-case letters, digits and '-'"),
    bad("triggers.0.podUnhealthy", GONE, TRIGGER, ONE_TRIGGER),
    bad("triggers.0.circuitOpen", {"breaker": "db"}, TRIGGER, "set exactly one kind of trigger"),
    bad("triggers.1", {"name": "db", "circuitOpen": {}}, "spec.triggers[1].circuitOpen.breaker", "Required value"),
    bad("triggers.0.podUnhealthy.reasons", [], f"{TRIGGER}.podUnhealthy.reasons", "should have at least 1 items"),
    bad(
        "triggers.0.podUnhealthy.reasons", ["Sad"], f"{TRIGGER}.podUnhealthy.reasons[0]", 'supported values: "NotReady"'
    ),
    bad(
        "triggers.0.podUnhealthy.reasons",
        ["NotReady", "NotReady"],
        f"{TRIGGER}.podUnhealthy.reasons[1]",
        "Duplicate value",
    ),
    bad("triggers.0.podUnhealthy.startupGrace", "1d", f"{TRIGGER}.podUnhealthy.startupGrace", "from 0s to 1h"),
    bad("triggers.0.for", "soon", f"{TRIGGER}.for", "from 0s to 1h"),
    bad("triggers.0.for", "61m", f"{TRIGGER}.for", "from 0s to 1h"),
    bad("limits.timeout", "79s", "spec.limits.timeout", FIT),
    bad("verify.within", "5m", "spec.limits.timeout", FIT),
    bad("verify.healthyFor", "20s", "spec.verify.healthyFor", "healthyFor must be shorter than within"),
    bad("verify.within", "5s", "spec.verify.healthyFor", "healthyFor must be shorter than within"),
    bad("verify.within", "500ms", "spec.verify.within", "from 1s to 1h"),
    bad("limits.maxAttempts", 0, "spec.limits.maxAttempts", "greater than or equal to 1"),
    bad("limits.maxAttempts", 21, "spec.limits.maxAttempts", "less than or equal to 20"),
    bad("limits.interval", "2h", "spec.limits.interval", "from 0s to 1h"),
    bad("limits.cooldown", "25h", "spec.limits.cooldown", "from 1s to 24h"),
    bad("limits.minHealthyPeriod", "0s", "spec.limits.minHealthyPeriod", "from 1s to 24h"),
    bad("limits.minHealthy", "half", "spec.limits.minHealthy", "a percentage from 0% to 100%, such as 50%"),
    bad("limits.minHealthy", "101%", "spec.limits.minHealthy", "a percentage from 0% to 100%, such as 50%"),
    bad("limits.minHealthy", 50, "spec.limits.minHealthy", "must be of type string"),
    bad("limits.budget.runs", 0, "spec.limits.budget.runs", "greater than or equal to 1"),
    bad("limits.budget.runs", 61, "spec.limits.budget.runs", "less than or equal to 60"),
    bad("limits.budget.runs", "6/h", "spec.limits.budget.runs", "must be of type integer"),
    bad("limits.budget.per", "0s", "spec.limits.budget.per", "from 1s to 24h"),
    bad("limits.budget.per", "25h", "spec.limits.budget.per", "from 1s to 24h"),
    bad("limits.budget.per", "1d", "spec.limits.budget.per", "from 1s to 24h"),
    bad("limits.budget", 6, "spec.limits.budget", "must be of type object"),
    bad("dependencies", [{}], "spec.dependencies[0].breaker", "Required value"),
    bad("dependencies", [{"breaker": ""}], "spec.dependencies[0].breaker", "should be at least 1 chars long"),
    bad("dependencies", [{"breaker": "shop/db"}], "spec.dependencies[0].breaker", "lower-case letters, digits"),
    bad("dependencies", [{"breaker": "db"}] * 2, "spec.dependencies[1]", "Duplicate value"),
    bad("dependencies", [{"breaker": f"b{n}"} for n in range(17)], "spec.dependencies", "must have at most 16 items"),
    bad("dependencies", ["db"], "spec.dependencies[0]", "must be of type object"),
    bad("maintenanceWindows", windows(name=GONE), f"{WINDOW}.name", "Required value"),
    bad("maintenanceWindows", windows(name="Nightly"), f"{WINDOW}.name", "lower-case letters, digits and '-'"),
    bad("maintenanceWindows", windows() * 2, "spec.maintenanceWindows[1]", "Duplicate value"),
    bad("maintenanceWindows", windows(effect="Forbid"), f"{WINDOW}.effect", 'supported values: "Allow", "Deny"'),
    bad("maintenanceWindows", windows(schedule=GONE), f"{WINDOW}.schedule", "Required value"),
    bad("maintenanceWindows", windows(schedule="0 2 * *"), f"{WINDOW}.schedule", "must be five cron fields"),
    bad("maintenanceWindows", windows(schedule="30 2 1 * "), f"{WINDOW}.schedule", "must be five cron fields"),
    bad("maintenanceWindows", windows(schedule="0 0 2 * * * *"), f"{WINDOW}.schedule", "such as 0 2 * * *"),
    bad("maintenanceWindows", windows(schedule="@midnight"), f"{WINDOW}.schedule", "must be five cron fields"),
    bad("maintenanceWindows", windows(schedule="0 2 * * $(x)"), f"{WINDOW}.schedule", "must be five cron fields"),
    bad("maintenanceWindows", windows(schedule="0 2 * * " + "1" * 93), f"{WINDOW}.schedule", "not be more than 100"),
    bad("maintenanceWindows", windows(duration=GONE), f"{WINDOW}.duration", "Required value"),
    bad("maintenanceWindows", windows(duration="25h"), f"{WINDOW}.duration", "from 1s to 24h"),
    bad("maintenanceWindows", windows(duration="0s"), f"{WINDOW}.duration", "from 1s to 24h"),
    bad("maintenanceWindows", windows(timeZone=""), f"{WINDOW}.timeZone", "such as Europe/Berlin or UTC"),
    bad("maintenanceWindows", windows(timeZone="../etc/passwd"), f"{WINDOW}.timeZone", "such as Europe/Berlin or UTC"),
    bad("maintenanceWindows", windows(timeZone="UTC+01:00"), f"{WINDOW}.timeZone", "a time zone of the IANA database"),
    bad("maintenanceWindows", windows(timezone="UTC"), f"{WINDOW}.timezone", "unknown field"),
    bad(
        "maintenanceWindows",
        [windows(name=f"w{number}")[0] for number in range(9)],
        "spec.maintenanceWindows",
        "must have at most 8 items",
    ),
    bad("history.succeeded", -1, "spec.history.succeeded", "greater than or equal to 0"),
    bad("history.succeeded", 101, "spec.history.succeeded", "less than or equal to 100"),
    bad("history.failed", 101, "spec.history.failed", "less than or equal to 100"),
    bad("history.failed", "all", "spec.history.failed", "must be of type integer"),
    bad("history.cancelled", 101, "spec.history.cancelled", "less than or equal to 100"),
    bad("history.ttl", "59s", "spec.history.ttl", "from 1m to 8760h"),
    bad("history.ttl", "8761h", "spec.history.ttl", "from 1m to 8760h"),
    bad("history.ttl", "30d", "spec.history.ttl", "from 1m to 8760h"),
    bad("triggers", reporting(errorTypes=GONE), f"{ERROR}.errorTypes", "Required value"),
    bad("triggers", reporting(errorTypes=[]), f"{ERROR}.errorTypes", "should have at least 1 items"),
    bad("triggers", reporting(errorTypes=["A", "A"]), f"{ERROR}.errorTypes[1]", "Duplicate value"),
    bad("triggers", reporting(errorTypes=["my error"]), f"{ERROR}.errorTypes[0]", "must begin with a letter"),
    bad("triggers", reporting(errorTypes=["E" * 65]), f"{ERROR}.errorTypes[0]", "may not be more than 64"),
    bad("triggers", reporting(errorTypes=[f"E{n}" for n in range(17)]), f"{ERROR}.errorTypes", "at most 16 items"),
    bad("triggers", reporting(count=0), f"{ERROR}.count", "greater than or equal to 1"),
    bad("triggers", reporting(count=101), f"{ERROR}.count", "less than or equal to 100"),
    bad("triggers", reporting(within="25h"), f"{ERROR}.within", "from 1s to 24h"),
    bad("triggers.0.errorReported", {"errorTypes": ["A"]}, TRIGGER, ONE_TRIGGER),
    bad("triggers.0.podUnhealthy.oom", {"count": 0}, f"{TRIGGER}.podUnhealthy.oom.count", "greater than or equal"),
    bad("triggers.0.podUnhealthy.oom", {"count": 21}, f"{TRIGGER}.podUnhealthy.oom.count", "less than or equal"),
    bad("triggers.0.podUnhealthy.oom", {"within": "2d"}, f"{TRIGGER}.podUnhealthy.oom.within", "from 1s to 24h"),
    bad(
        "triggers.0.podUnhealthy.reasons", ["OOM"], f"{TRIGGER}.podUnhealthy.reasons[0]", '"OOMKilled", "CrashLoopBack'
    ),
    bad("serviceAccountName", "Not_A_Name", "spec.serviceAccountName", "lower-case letters, digits"),
    bad("limits.maxAttempt", 2, "spec.limits.maxAttempt", "unknown field"),
]

GOOD = [
    good("mode", "Manual"),
    good("mode", "DryRun"),
    good("limits.budget", {"runs": 1, "per": "1s"}),
    good("limits.budget", {"runs": 60, "per": "24h"}),
    good("dependencies", [{"breaker": f"b{number}"} for number in range(16)]),
    good("maintenanceWindows", windows(effect="Allow", timeZone="America/Argentina/Buenos_Aires", duration="24h")),
    good("maintenanceWindows", windows(schedule="*/5 0-6,22-23 L * mon-fri", timeZone="Etc/GMT+5")),
    good("maintenanceWindows", [windows(name=f"w{number}")[0] for number in range(8)]),
    good("history", {"succeeded": 0, "failed": 0, "cancelled": 0, "ttl": "1m"}),
    good("history", {"succeeded": 100, "failed": 100, "cancelled": 100, "ttl": "8760h"}),
    good("triggers", reporting(errorTypes=[f"E{number}" for number in range(16)], count=100, within="24h")),
    good("triggers.0.podUnhealthy.oom", {"count": 20, "within": "24h"}),
    good("triggers.0.podUnhealthy.reasons", ["OOMKilled", "CrashLoopBackOff", "ImagePull", "Pending", "Terminating"]),
    good("triggers", triggers(16)),
    good("triggers.1", {"name": "database", "circuitOpen": {"breaker": "db"}, "for": "10s"}),
    good("triggers.0.for", "1h"),
    good("triggers.0.podUnhealthy.startupGrace", "0s"),
    good("mode", "Paused"),
    good("verify", {"healthyFor": "0s", "within": "1s"}),
    good("limits.timeout", "80s"),
    good("limits.maxAttempts", 20),
    good("limits.interval", "0s"),
    good("limits.cooldown", "24h"),
    good("limits.minHealthy", "0%"),
    good("limits.minHealthy", "100%"),
    good("targetRef", {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "a" * 253}),
]
