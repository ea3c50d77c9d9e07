"""What kstatus makes of an object: the rules by which Flux, kpt and others tell whether it is done.

A port of the generic part of sigs.k8s.io/cli-utils/pkg/kstatus, which is all that custom resources go by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Result = Literal["Terminating", "InProgress", "Failed", "Current"]


def compute(document: Mapping[str, Any]) -> Result:
    """The result for one object."""
    metadata, status = document["metadata"], document.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        return "InProgress"
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"


def judge(document: Mapping[str, Any]) -> None:
    """What must hold of every status that the operator writes.

    An object that is seen is either enforced or says for good why not: "in progress" would let a pipeline wait for
    what never comes. And what ails the target, such as an open circuit, is no failure of the object.

    Raises:
        AssertionError: it does not hold.
    """
    status = document.get("status") or {}
    conditions = {item["type"]: item for item in status.get("conditions", ())}
    if not conditions:
        return
    result = compute(document)
    assert set(conditions) >= {"Ready"}, "a visited object says whether it is enforced"
    assert all(item["observedGeneration"] <= document["metadata"]["generation"] for item in conditions.values())
    if result == "InProgress":
        assert status["observedGeneration"] < document["metadata"]["generation"], "only what is new is in progress"
        return
    stalled = conditions.get("Stalled", {}).get("status") == "True"
    assert result in ("Terminating", "Failed" if stalled else "Current")
    assert stalled == (conditions["Ready"]["status"] == "False"), "not enforced, and nothing says for how long"
    if stalled:
        reasons = {conditions[kind]["reason"] for kind in ("Stalled", "Ready")}
        assert len(reasons) == 1
        assert conditions["Stalled"]["message"]
