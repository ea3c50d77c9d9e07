"""Objects as the operator wrote them, and what GitOps tools shall make of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
RECORDED: dict[str, dict[str, Any]] = json.loads((PROJECT / "tests/fixtures/gitops.json").read_text())


@dataclass(frozen=True, slots=True)
class Reading:
    """What each tool makes of an object.

    Attributes:
        argo: Argo CD's health, and how its message begins.
        flux: the result by the expressions for Flux; "" for a kind that has none.
        kstatus: the result without them.
    """

    argo: tuple[str, str]
    flux: str
    kstatus: str = ""


UNSEEN, CHANGED = "the operator has not seen the object yet", "the operator has not seen the change yet"
READINGS: dict[str, Reading] = {
    "breaker-unseen": Reading(("Progressing", UNSEEN), "InProgress", "Current"),
    "breaker-closed": Reading(("Healthy", "Closed"), "Current", "Current"),
    "breaker-open": Reading(("Healthy", "Open"), "Current", "Current"),
    "breaker-half-open": Reading(("Healthy", "HalfOpen"), "Current", "Current"),
    "breaker-stalled": Reading(("Degraded", "ProbeError: "), "Failed", "Failed"),
    "breaker-invalid": Reading(("Degraded", "InvalidSpec: "), "Failed", "Failed"),
    "breaker-changed": Reading(("Progressing", CHANGED), "InProgress", "InProgress"),
    "breaker-forced-open": Reading(("Healthy", "Open, overridden: ForcedOpen"), "Current", "Current"),
    "policy-unseen": Reading(("Progressing", UNSEEN), "InProgress", "Current"),
    "policy-healthy": Reading(("Healthy", "Healthy: "), "Current", "Current"),
    "policy-paused": Reading(("Healthy", "Healthy: "), "Current", "Current"),
    "policy-blocked": Reading(("Healthy", "Manual: "), "Current", "Current"),
    "policy-changed": Reading(("Progressing", CHANGED), "InProgress", "InProgress"),
    "policy-recovering": Reading(("Healthy", "RunActive: "), "Current", "Current"),
    "policy-needs-human": Reading(("Healthy", "NeedsHuman: "), "Current", "Current"),
    "policy-stalled": Reading(("Degraded", "TargetNotFound: "), "Failed", "Failed"),
    "run-unseen": Reading(("Progressing", "the operator has not seen the run yet"), "", "Current"),
    "run-pending": Reading(("Progressing", "Pending: "), "", "Current"),
    "run-awaiting-approval": Reading(("Suspended", "AwaitingApproval: "), "", "Current"),
    "run-running": Reading(("Progressing", "Running"), "", "Current"),
    "run-succeeded": Reading(("Healthy", "Succeeded: "), "", "Current"),
    "run-cancelled": Reading(("Healthy", "Cancelled: "), "", "Current"),
    "run-failed": Reading(("Degraded", "Failed: "), "", "Current"),
    "run-error": Reading(("Degraded", "Error: "), "", "Current"),
    "run-inconclusive": Reading(("Degraded", "Inconclusive: "), "", "Current"),
}


def document(name: str) -> dict[str, Any]:
    """A recorded object as a tool reads it. One that was never seen has no status at all."""
    item = RECORDED[name]
    whole = {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": item["kind"],
        "metadata": {"name": name, "namespace": "shop", "generation": item["generation"]},
    }
    return {**whole, "status": item["status"]} if item["status"] else whole
