"""What a RecoveryPolicy may say, and what the API server answers when it says something else."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.integration.manifests.rows import GONE, Bad, Good

bad = partial(Bad, "RecoveryPolicy")
good = partial(Good, "RecoveryPolicy")
TRIGGER = "spec.triggers[0]"
STEP = "spec.ladder[0]"
FIT = "raise limits.timeout or shorten the steps"


def step(name: str, **fields: object) -> dict[str, Any]:
    """A step that restarts pods."""
    return {"name": name, "action": {"restartPods": {}}, **fields}


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
    bad("mode", "auto", "spec.mode", 'supported values: "Auto", "Paused"'),
    bad("triggers", GONE, "spec.triggers", "Required value"),
    bad("triggers", [], "spec.triggers", "should have at least 1 items"),
    bad("triggers", triggers(17), "spec.triggers", "must have at most 16 items"),
    bad("triggers", "pods", "spec.triggers", "must be of type array"),
    bad("triggers.1", {"name": "pods", "podUnhealthy": {}}, "spec.triggers[1]", "Duplicate value"),
    bad("triggers.0.name", GONE, f"{TRIGGER}.name", "Required value"),
    bad("triggers.0.name", "Pods!", f"{TRIGGER}.name", "lower-case letters, digits and '-'"),
    bad("triggers.0.podUnhealthy", GONE, TRIGGER, "set exactly one kind of trigger: circuitOpen or podUnhealthy"),
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
    bad("ladder", GONE, "spec.ladder", "Required value"),
    bad("ladder", [], "spec.ladder", "should have at least 1 items"),
    bad("ladder", [step(f"s{n}", timeout="1s") for n in range(17)], "spec.ladder", "must have at most 16 items"),
    bad("ladder.1", step("restart"), "spec.ladder", "every step needs a name of its own"),
    bad("ladder.0.name", GONE, f"{STEP}.name", "Required value"),
    bad("ladder.0.action", GONE, f"{STEP}.action", "Required value"),
    bad("ladder.0.action", {}, f"{STEP}.action", "set exactly one kind of action: restartPods"),
    bad("ladder.0.action.rebootNode", {}, f"{STEP}.action.rebootNode", "unknown field"),
    bad("ladder.0.action.restartPods.pods", "Some", f"{STEP}.action.restartPods.pods", '"Unhealthy", "All"'),
    bad("ladder.0.timeout", "0s", f"{STEP}.timeout", "from 1s to 1h"),
    bad("ladder.0.timeout", "1 minute", f"{STEP}.timeout", "from 1s to 1h"),
    bad("ladder.0.timeout", "281s", "spec.limits.timeout", FIT),
    bad("ladder", [step(f"s{n}") for n in range(4)], "spec.limits.timeout", FIT),
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
    bad("limits.maxAttempt", 2, "spec.limits.maxAttempt", "unknown field"),
]

GOOD = [
    good("ladder.0.timeout", "280s"),
    good("ladder", [step(f"s{number}", timeout="1s") for number in range(14)]),
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
