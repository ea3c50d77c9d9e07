"""What a RecoveryRun may say, and what the API server answers when it says something else."""

from __future__ import annotations

from functools import partial

from tests.integration.manifests.rows import GONE, Bad, Good

bad = partial(Bad, "RecoveryRun")
good = partial(Good, "RecoveryRun")

OWN = "it needs incident, sequence, attempt and triggers; use cause Manual to start a run by hand"
NOT_OWN = "incident, sequence and attempt are the operator's own: leave them out"
FORCE = "force goes with cause Manual and needs a reason: set reason to why the gates may be skipped"
KEY = "a key of context begins with a letter and holds at most 63 letters, digits, '_', '.' and '-'"


def manual(**fields: object) -> dict[str, object]:
    """The spec of a run by hand."""
    return {"policyName": "web", **fields}


def reported(**fields: object) -> dict[str, object]:
    """The spec of a report."""
    return {"policyName": "web", "cause": "Reported", **fields}


BAD = [
    bad("policyName", GONE, "spec.policyName", "Required value"),
    bad("policyName", "Web", "spec.policyName", "lower-case letters, digits, '-' and '.'"),
    bad("policyName", "a" * 254, "spec.policyName", "may not be more than 253"),
    bad("policyName", "other/web", "spec.policyName", "lower-case letters, digits, '-' and '.'"),
    bad("namespace", "other", "spec.namespace", "unknown field"),
    bad("cause", "Boredom", "spec.cause", 'supported values: "Trigger", "Manual", "Reported"'),
    bad("cause", GONE, "spec.cause", NOT_OWN),
    bad("cause", "Manual", "spec.cause", NOT_OWN),
    bad("", reported(errorType="LOST", attempt=1), "spec.cause", NOT_OWN),
    bad("", manual(sequence=2**53), "spec.cause", NOT_OWN),
    bad("incident", GONE, "spec.cause", OWN),
    bad("incident", 0, "spec.incident", "greater than or equal to 1"),
    bad("sequence", GONE, "spec.cause", OWN),
    bad("sequence", 0, "spec.sequence", "greater than or equal to 1"),
    bad("attempt", GONE, "spec.cause", OWN),
    bad("attempt", "second", "spec.attempt", "must be of type integer"),
    bad("triggers", GONE, "spec.cause", OWN),
    bad("triggers", [], "spec.cause", OWN),
    bad("triggers", ["pods", "pods"], "spec.triggers[1]", "Duplicate value"),
    bad("triggers", [f"t{number}" for number in range(17)], "spec.triggers", "must have at most 16 items"),
    bad("triggers", ["Not a name"], "spec.triggers[0]", "lower-case letters, digits and '-'"),
    bad("steps", ["restart", "restart"], "spec.steps[1]", "Duplicate value"),
    bad("steps", [f"s{number}" for number in range(17)], "spec.steps", "must have at most 16 items"),
    bad("steps", [""], "spec.steps[0]", "should be at least 1 chars long"),
    bad("steps", ["Restart it"], "spec.steps[0]", "lower-case letters, digits and '-'"),
    bad("steps", "restart", "spec.steps", "must be of type array"),
    bad("", reported(), "spec.cause", "names the error that was seen: set errorType"),
    bad("", reported(errorType=""), "spec.errorType", "should be at least 1 chars long"),
    bad("", reported(errorType="x" * 65), "spec.errorType", "may not be more than 64"),
    bad("", reported(errorType="my error"), "spec.errorType", "must begin with a letter and hold letters, digits"),
    bad("", reported(errorType="1_LOST"), "spec.errorType", "such as CUSTOM_ERROR"),
    bad("requestedBy", "x" * 254, "spec.requestedBy", "may not be more than 253"),
    bad("reason", "x" * 513, "spec.reason", "may not be more than 512"),
    bad("requestId", "x" * 129, "spec.requestId", "may not be more than 128"),
    bad("context", {f"key{n}": "" for n in range(17)}, "spec.context", "must have at most 16 items"),
    bad("context", {"shard": "x" * 257}, "spec.context.shard", "may not be more than 256"),
    bad("context", {"shard": 7}, "spec.context.shard", "must be of type string"),
    bad("context", {"a b": "x"}, "spec.context", KEY),
    bad("context", {"1st": "x"}, "spec.context", KEY),
    bad("context", {"LD=PRELOAD": "x"}, "spec.context", KEY),
    bad("context", {"x" * 64: "x"}, "spec.context", KEY),
    bad("context", ["x"], "spec.context", "must be of type object"),
    bad("dryRun", "yes", "spec.dryRun", "must be of type boolean"),
    bad("force", "yes", "spec.force", "must be of type boolean"),
    bad("force", True, "spec.force", FORCE),
    bad("", manual(force=True), "spec.force", FORCE),
    bad("", manual(force=True, reason=""), "spec.force", FORCE),
    bad("", reported(errorType="LOST", force=True, reason="now"), "spec.force", FORCE),
    bad("expiresAfter", "25h", "spec.expiresAfter", "from 1s to 24h"),
    bad("expiresAfter", "0s", "spec.expiresAfter", "from 1s to 24h"),
    bad("expiresAfter", "10 minutes", "spec.expiresAfter", "from 1s to 24h"),
    bad("step", "restart", "spec.step", "unknown field"),
]

GOOD = [
    good("", manual()),
    good("", manual(force=True, reason="ticket 4711", steps=["restart"], dryRun=True)),
    good("", manual(steps=[f"s{number}" for number in range(16)], triggers=["pods"], errorType="LOST")),
    good("", reported(errorType="x" * 64, context={f"key{number}": "x" * 256 for number in range(16)})),
    good("", reported(errorType="db.connection-LOST_2", context={"x" * 63: ""})),
    good("requestedBy", "x" * 253),
    good("reason", "x" * 512),
    good("requestId", "x" * 128),
    good("dryRun", True),
    good("expiresAfter", "1s"),
    good("expiresAfter", "24h"),
    good("incident", 2**53),
    good("triggers", [f"t{number}" for number in range(16)]),
]
