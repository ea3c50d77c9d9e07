"""Jobs of the pretended server, and a tiny controller that runs them: a pod appears, ends, and then the Job ends."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ultra_recovery.adapters.memory.store import MemoryStore, timestamp
from ultra_recovery.core.errors import AlreadyExists, NotFound, Rejected
from ultra_recovery.core.objects import Key, Kind

JOB_LABEL = "batch.kubernetes.io/job-name"


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What becomes of a Job.

    Attributes:
        after: seconds from its creation until its pod ends; None: it never does.
        succeeds: whether the pod ends with 0.
        message: the termination message.
        delay: seconds from the end of the pod until the Job says so.
    """

    after: float | None = 2.0
    succeeds: bool = True
    message: str = ""
    delay: float = 2.0


def add_cron_job(store: MemoryStore, namespace: str, name: str, *, suspend: bool = True) -> None:
    """Store a CronJob whose Job has one container."""
    containers = [{"name": "main", "image": "example"}]
    template = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}}}
    store.cron_jobs[namespace, name] = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"namespace": namespace, "name": name, "uid": store.next_uid()},
        "spec": {"schedule": "0 0 1 1 *", "suspend": suspend, "jobTemplate": template},
    }


def store_job(store: MemoryStore, namespace: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Store a new Job as a server does.

    Raises:
        AlreadyExists: a Job of this name exists.
        Rejected: it has no containers, or its pods would never end.
    """
    fresh = copy.deepcopy({name: value for name, value in document.items() if name != "status"})
    meta, pod = fresh["metadata"], ((fresh.get("spec") or {}).get("template") or {}).get("spec") or {}
    key = (namespace, meta["name"])
    if key in store.jobs:
        raise AlreadyExists(f"Job {namespace}/{meta['name']} already exists")
    if not pod.get("containers"):
        raise Rejected("spec.template.spec.containers: Required value")
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        raise Rejected("spec.template.spec.restartPolicy: Required value: valid values: OnFailure, Never")
    meta |= {
        "namespace": namespace,
        "uid": store.next_uid(),
        "resourceVersion": store.next_version(),
        "creationTimestamp": timestamp(store.clock.now()),
        "generation": 1,
    }
    store.jobs[key] = fresh
    for controller in store.job_controllers:
        controller(copy.deepcopy(fresh))
    return copy.deepcopy(fresh)


class JobController:
    """Runs the Jobs of a store by plan: by the plan of the CronJob that a Job was made from, or by the usual one.

    Attributes:
        usual: the plan of Jobs without one of their own.
        plans: name of a CronJob → plan of its Jobs.
        created: names of all Jobs in the order of their creation.
    """

    def __init__(self, store: MemoryStore, usual: JobPlan | None = None) -> None:
        self.usual = usual or JobPlan()
        self.plans: dict[str, JobPlan] = {}
        self.created: list[str] = []
        self._store = store
        store.job_controllers.append(self._start)

    def delete(self, namespace: str, name: str) -> None:
        """Delete a Job with its pod, as somebody may do at any time."""
        del self._store.jobs[namespace, name]
        self._remove_pod(namespace, name)

    def _start(self, job: Mapping[str, Any]) -> None:
        meta, spec = job["metadata"], job["spec"]
        self.created.append(meta["name"])
        self._store.add(Kind.POD, _pod(job, timestamp(self._store.clock.now())))
        owners = meta.get("ownerReferences") or [{}]
        plan = self.plans.get(owners[0].get("name", ""), self.usual)
        deadline = spec.get("activeDeadlineSeconds")
        loop = asyncio.get_running_loop()
        if plan.after is not None and (deadline is None or plan.after < deadline):
            loop.call_later(plan.after, self._end_pod, job, plan)
            loop.call_later(plan.after + plan.delay, self._end_job, job, plan.succeeds, "BackoffLimitExceeded")
        elif deadline is not None:
            loop.call_later(deadline, self._expire, job)

    def _end_pod(self, job: Mapping[str, Any], plan: JobPlan) -> None:
        now = timestamp(self._store.clock.now())
        end = {"exitCode": 0, "reason": "Completed"} if plan.succeeds else {"exitCode": 1, "reason": "Error"}
        status = {
            "phase": "Succeeded" if plan.succeeds else "Failed",
            "containerStatuses": [
                {"name": "main", "state": {"terminated": {**end, "finishedAt": now, "message": plan.message}}}
            ],
        }
        try:
            self._store.change(_pod_key(job), lambda pod: pod["status"].update(status))
        except NotFound:
            return

    def _end_job(self, job: Mapping[str, Any], succeeds: bool, reason: str) -> None:
        stored = self._stored(job)
        if stored is None:
            return
        condition = {"type": "Complete" if succeeds else "Failed", "status": "True"}
        if not succeeds:
            condition["reason"] = reason
        stored["status"] = {"conditions": [condition], "succeeded" if succeeds else "failed": 1}
        stored["metadata"]["resourceVersion"] = self._store.next_version()

    def _expire(self, job: Mapping[str, Any]) -> None:
        """The Job has reached its deadline: its pod is removed."""
        if self._stored(job) is not None:
            self._remove_pod(job["metadata"]["namespace"], job["metadata"]["name"])
            self._end_job(job, succeeds=False, reason="DeadlineExceeded")

    def _stored(self, job: Mapping[str, Any]) -> dict[str, Any] | None:
        meta = job["metadata"]
        stored = self._store.jobs.get((meta["namespace"], meta["name"]))
        return stored if stored is not None and stored["metadata"]["uid"] == meta["uid"] else None

    def _remove_pod(self, namespace: str, job: str) -> None:
        try:
            self._store.remove(Key(Kind.POD, namespace, _pod_name(job)))
        except NotFound:
            return


def _pod_name(job: str) -> str:
    return f"{job}-x7k2p"


def _pod_key(job: Mapping[str, Any]) -> Key:
    return Key(Kind.POD, job["metadata"]["namespace"], _pod_name(job["metadata"]["name"]))


def _pod(job: Mapping[str, Any], now: str) -> dict[str, Any]:
    meta = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    template = job["spec"]["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), JOB_LABEL: meta["name"]}
    return {
        "metadata": {
            "namespace": meta["namespace"],
            "name": _pod_name(meta["name"]),
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "startTime": now,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
            "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {"startedAt": now}}}],
        },
    }
