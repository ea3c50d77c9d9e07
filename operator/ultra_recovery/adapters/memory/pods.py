"""Documents of workloads and pods as a cluster writes them, for the controller in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ultra_recovery.adapters.memory.store import timestamp
from ultra_recovery.core.objects import Key, Kind

_HASH_LABELS = {Kind.DEPLOYMENT: "pod-template-hash", Kind.STATEFUL_SET: "controller-revision-hash"}


def workload_document(key: Key, replicas: int) -> dict[str, Any]:
    """A Deployment or StatefulSet without status. Its pods carry the label app with its name."""
    labels = {"app": key.name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "example"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": dict(labels)}, "template": template}
    return {"metadata": {"namespace": key.namespace, "name": key.name, "labels": dict(labels)}, "spec": spec}


def revision(workload: Mapping[str, Any]) -> str:
    """The hash of the present pod template."""
    return hashlib.sha256(repr(workload["spec"]["template"]).encode()).hexdigest()[:10]


def revision_of(pod: Mapping[str, Any]) -> str:
    """The hash of the template that the pod was made from."""
    return str(pod["metadata"]["labels"][_HASH_LABELS[workload_kind(pod) or Kind.DEPLOYMENT]])


def workload_kind(pod: Mapping[str, Any]) -> Kind | None:
    """Which kind of workload the pod belongs to."""
    owners = pod["metadata"].get("ownerReferences") or [{}]
    kinds = {"ReplicaSet": Kind.DEPLOYMENT, "StatefulSet": Kind.STATEFUL_SET}
    return kinds.get(owners[0].get("kind", ""))


def pod_name(workload: Mapping[str, Any], number: int) -> str:
    """The name of a new pod: numbered in a StatefulSet, unique in a Deployment."""
    name = workload["metadata"]["name"]
    if workload["kind"] == Kind.STATEFUL_SET:
        return f"{name}-{number}"
    return f"{name}-{revision(workload)}-{number:05d}"


def pod_document(workload: Mapping[str, Any], name: str, now: datetime, *, ready: bool) -> dict[str, Any]:
    """A running pod of the workload."""
    meta, kind = workload["metadata"], Kind(workload["kind"])
    template_hash = revision(workload)
    if kind is Kind.DEPLOYMENT:
        replica_set = f"{meta['name']}-{template_hash}"
        owner = {"kind": "ReplicaSet", "name": replica_set, "uid": f"uid-of-{replica_set}"}
    else:
        owner = {"kind": "StatefulSet", "name": meta["name"], "uid": meta["uid"]}
    since = timestamp(now)
    number = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16)
    address = f"10.1.{number // 256}.{number % 256}"
    container = {"name": "main", "ready": ready, "restartCount": 0, "state": {"running": {"startedAt": since}}}
    return {
        "metadata": {
            "namespace": meta["namespace"],
            "name": name,
            "labels": {**workload["spec"]["selector"]["matchLabels"], _HASH_LABELS[kind]: template_hash},
            "ownerReferences": [{"apiVersion": "apps/v1", "controller": True, "blockOwnerDeletion": True, **owner}],
        },
        "spec": workload["spec"]["template"]["spec"],
        "status": {
            "phase": "Running",
            "startTime": since,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}],
            "containerStatuses": [container],
        },
    }


def set_ready(pod: dict[str, Any], ready: bool, now: datetime) -> None:
    """Write the Ready condition; its time changes only when it does. A Ready container runs."""
    condition = pod["status"]["conditions"][0]
    if condition["status"] != str(ready):
        condition.update(status=str(ready), lastTransitionTime=timestamp(now))
    container = pod["status"]["containerStatuses"][0]
    container["ready"] = ready
    if ready and "running" not in container["state"]:
        container["state"] = {"running": {"startedAt": timestamp(now)}}


def set_waiting(pod: dict[str, Any], reason: str, now: datetime) -> None:
    """Let the container wait."""
    set_ready(pod, False, now)
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": reason}}


def terminate(pod: dict[str, Any], now: datetime) -> None:
    """Mark the pod as terminating."""
    pod["metadata"].setdefault("deletionTimestamp", timestamp(now))


def set_workload_status(workload: dict[str, Any], live: Sequence[Mapping[str, Any]]) -> None:
    """Count the pods that do not terminate, as the workload's controller does."""
    ready = [pod for pod in live if pod["status"]["conditions"][0]["status"] == "True"]
    present = revision(workload)
    updated = [pod for pod in live if revision_of(pod) == present]
    status = {
        "observedGeneration": workload["metadata"]["generation"],
        "replicas": len(live),
        "readyReplicas": len(ready),
        "availableReplicas": len(ready),
        "updatedReplicas": len(updated),
    }
    if workload["kind"] == Kind.STATEFUL_SET:
        # An update that is finished makes both revisions equal; until then the old one is "current".
        status |= {"updateRevision": present, "currentRevision": present if len(updated) == len(live) else "older"}
    workload["status"] = {**(workload.get("status") or {}), **status}
