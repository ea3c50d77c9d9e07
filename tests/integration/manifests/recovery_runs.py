"""What a RecoveryRun may say, and what the API server answers when it says something else."""

from __future__ import annotations

from functools import partial

from tests.integration.manifests.rows import GONE, Bad, Good

bad = partial(Bad, "RecoveryRun")
good = partial(Good, "RecoveryRun")

BAD = [
    bad("policyName", GONE, "spec.policyName", "Required value"),
    bad("policyName", "Web", "spec.policyName", "lower-case letters, digits, '-' and '.'"),
    bad("cause", GONE, "spec.cause", "Required value"),
    bad("cause", "Boredom", "spec.cause", 'supported values: "Trigger"'),
    bad("incident", GONE, "spec.incident", "Required value"),
    bad("incident", 0, "spec.incident", "greater than or equal to 1"),
    bad("sequence", GONE, "spec.sequence", "Required value"),
    bad("sequence", 0, "spec.sequence", "greater than or equal to 1"),
    bad("attempt", GONE, "spec.attempt", "Required value"),
    bad("attempt", "second", "spec.attempt", "must be of type integer"),
    bad("triggers", GONE, "spec.triggers", "Required value"),
    bad("triggers", [], "spec.triggers", "should have at least 1 items"),
    bad("triggers", ["pods", "pods"], "spec.triggers[1]", "Duplicate value"),
    bad("triggers", [f"t{number}" for number in range(17)], "spec.triggers", "must have at most 16 items"),
    bad("triggers", ["Not a name"], "spec.triggers[0]", "lower-case letters, digits and '-'"),
    bad("expiresAfter", "25h", "spec.expiresAfter", "from 1s to 24h"),
    bad("force", True, "spec.force", "unknown field"),
]

GOOD = [
    good("expiresAfter", "1s"),
    good("expiresAfter", "24h"),
    good("incident", 2**53),
    good("triggers", [f"t{number}" for number in range(16)]),
]
