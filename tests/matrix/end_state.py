"""What is left when everything is over, without what may differ: times, messages, UIDs and generated names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.matrix.kubelet import is_ready

Document = Mapping[str, Any]
EndState = dict[str, Any]

_POLICY = {"incident": ("id", "state", "triggers", "attempts"), "lastDecision": ("decision", "reason"), "lastRun": ()}
_BREAKER = ("state", "reason", "epoch", "reopenCount", "lastHandledResetAt", "unconfirmed", "consecutiveSuccesses")
_RUN_SPEC = ("policyName", "cause", "incident", "sequence", "attempt", "triggers", "dryRun", "steps")
_STEP = ("name", "state", "result", "reason", "effectCount")


def describe(
    objects: Mapping[str, Sequence[Document]],
    pods: Mapping[str, Sequence[Document]],
    before: Mapping[str, Iterable[str]],
    jobs: Sequence[Document],
    hooks: Mapping[tuple[str, str], int],
) -> EndState:
    """The end state as plain data.

    Args:
        objects: our objects by plural.
        pods: pods of each workload.
        before: UIDs of the pods that each workload had in the beginning.
        jobs: all Jobs.
        hooks: received calls per path and idempotency key.
    """
    return {
        **{f"policy {_name(item)}": _policy(item) for item in objects["recoverypolicies"]},
        **{f"breaker {_name(item)}": _breaker(item) for item in objects["circuitbreakers"]},
        **{f"run {_name(item)}": _run(item) for item in objects["recoveryruns"]},
        **{f"pods of {app}": _pods(found, set(before[app])) for app, found in pods.items()},
        "jobs": Counter("finished" if _finished(job) else "unfinished" for job in jobs),
        "hooks": dict(Counter(path for path, _ in hooks)),
    }


def differences(wanted: object, found: object, where: str = "") -> list[str]:
    """Where two end states differ, in words."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        keys = sorted({*wanted, *found}, key=str)
        parts = [differences(wanted.get(key), found.get(key), f"{where}/{key}") for key in keys]
        return [line for part in parts for line in part]
    return [] if wanted == found else [f"{where}: {found!r} instead of {wanted!r}"]


def _name(item: Document) -> str:
    return str(item["metadata"]["name"])


def _pick(item: Document | None, fields: Iterable[str]) -> dict[str, Any]:
    # What is empty or zero may as well be left out: servers with other defaults agree then.
    return {field: item[field] for field in fields if item.get(field)} if item else {}


def _conditions(item: Document) -> dict[str, str]:
    conditions = item.get("status", {}).get("conditions") or ()
    return {entry["type"]: f"{entry['status']} {entry['reason']}" for entry in conditions}


def _policy(item: Document) -> dict[str, Any]:
    status = item.get("status") or {}
    found = {part: _pick(status.get(part), fields) for part, fields in _POLICY.items()}
    return {**found, "conditions": _conditions(item)}


def _breaker(item: Document) -> dict[str, Any]:
    return {**_pick(item.get("status"), _BREAKER), "conditions": _conditions(item)}


def _run(item: Document) -> dict[str, Any]:
    status = item.get("status") or {}
    steps = {str(number): _step(step) for number, step in enumerate(status.get("steps") or ())}
    return {"spec": _pick(item["spec"], _RUN_SPEC), **_pick(status, ("phase", "reason")), "steps": steps}


def _step(step: Document) -> dict[str, Any]:
    outcomes = sorted(str(effect.get("outcome")) for effect in step.get("effects") or ())
    return {**_pick(step, _STEP), "outcomes": outcomes}


def _pods(found: Sequence[Document], before: set[str]) -> dict[str, int]:
    new = [pod for pod in found if pod["metadata"]["uid"] not in before]
    return {"all": len(found), "ready": sum(is_ready(pod) for pod in found), "new": len(new)}


def _finished(job: Document) -> bool:
    conditions = job.get("status", {}).get("conditions") or ()
    return any(item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions)
