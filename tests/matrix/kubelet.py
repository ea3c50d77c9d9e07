"""A very small kubelet: no container runs, but every pod says what a kubelet would say of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.matrix.upstream import MERGE_PATCH, AnswerError, Upstream
from tests.matrix.watches import lines_of

START_DELAY = 0.3
JOB_DELAY = 0.5
_NO_LONGER = (404, 409)


class Kubelet:
    """Follows the pods of one namespace, which no scheduler ever gives to a node, and writes their status.

    Attributes:
        pods: all pods by UID.
        hung: names of the pods that were made unhealthy, by UID.
        broken: new pods stay Pending.
        sickly: new pods run, but never get Ready.
        job_message: termination message of the pods of Jobs.
    """

    def __init__(self, upstream: Upstream, namespace: str) -> None:
        self._upstream = upstream
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._tasks: set[asyncio.Task[None]] = set()
        self._follower: asyncio.Task[None] | None = None
        self._begun: set[str] = set()
        self.pods: dict[str, Mapping[str, Any]] = {}
        self.hung: dict[str, str] = {}
        self.broken = False
        self.sickly = False
        self.job_message = '{"changed": true}'

    async def __aenter__(self) -> Kubelet:
        self._follower = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks, *([self._follower] if self._follower else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def of(self, app: str) -> list[Mapping[str, Any]]:
        """Pods of a workload by name, without those on their way out."""
        found = [pod for pod in self.pods.values() if pod["metadata"].get("labels", {}).get("app") == app]
        alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(alive, key=lambda pod: pod["metadata"]["name"])

    def ready(self, app: str) -> int:
        """How many pods of a workload are Ready."""
        return sum(is_ready(pod) for pod in self.of(app))

    async def hang(self, pod: Mapping[str, Any]) -> None:
        """The pod runs on and is not Ready any more."""
        self.hung[pod["metadata"]["uid"]] = pod["metadata"]["name"]
        await self._write(pod, ready=False)

    async def heal(self, pod: Mapping[str, Any]) -> None:
        """The pod is Ready again, or for the first time."""
        await self._write(pod, ready=True)

    async def mend(self) -> None:
        """New pods get Ready from now on, and those that were held back do now."""
        self.broken = False
        for pod in list(self.pods.values()):
            if pod.get("status", {}).get("phase", "Pending") == "Pending":
                self._begin(pod)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(AnswerError, OSError):
                listed = await self._upstream.call("GET", self._path)
                self.pods = {item["metadata"]["uid"]: item for item in listed.get("items") or ()}
                for pod in list(self.pods.values()):
                    self._begin(pod)
                await self._stream(listed["metadata"]["resourceVersion"])
            await asyncio.sleep(0.2)

    async def _stream(self, version: str) -> None:
        query = f"{self._path}?watch=true&resourceVersion={version}"
        async with self._upstream.forward("GET", query, {"Accept": "application/json"}, b"") as response:
            async for line in lines_of(response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                pod = event["object"]
                if event["type"] == "DELETED":
                    self.pods.pop(pod["metadata"]["uid"], None)
                else:
                    self.pods[pod["metadata"]["uid"]] = pod
                    self._begin(pod)

    def _begin(self, pod: Mapping[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        if pod.get("status", {}).get("phase", "Pending") != "Pending" or uid in self._begun or self.broken:
            return
        self._begun.add(uid)
        owners = pod["metadata"].get("ownerReferences") or ()
        work = self._finish_job(pod) if any(item["kind"] == "Job" for item in owners) else self._start(pod)
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, pod: Mapping[str, Any]) -> None:
        await asyncio.sleep(START_DELAY)
        if self.sickly:
            await self.hang(pod)
        else:
            await self._write(pod, ready=True)

    async def _finish_job(self, pod: Mapping[str, Any]) -> None:
        await asyncio.sleep(JOB_DELAY)
        ended = {"exitCode": 0, "reason": "Completed", "message": self.job_message, "finishedAt": _stamp()}
        status = {
            "phase": "Succeeded",
            "conditions": [_condition("Ready", holds=False)],
            "containerStatuses": [_container(pod, {"terminated": ended}, ready=False)],
        }
        await self._patch(pod, status)

    async def _write(self, pod: Mapping[str, Any], *, ready: bool) -> None:
        known = pod.get("status", {}).get("containerStatuses")
        # Containers ran before they were Ready, by whole seconds, or nobody could tell the order.
        state = known[0]["state"] if known else {"running": {"startedAt": _stamp(-3)}}
        names = ("PodScheduled", "Initialized")
        conditions = [_condition(name, holds=True) for name in names]
        conditions += [_condition(name, holds=ready) for name in ("ContainersReady", "Ready")]
        status = {
            "phase": "Running",
            "startTime": pod.get("status", {}).get("startTime") or _stamp(-3),
            "conditions": conditions,
            "containerStatuses": [_container(pod, state, ready=ready)],
        }
        await self._patch(pod, status)

    async def _patch(self, pod: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        try:
            where = f"{self._path}/{pod['metadata']['name']}/status"
            # The UID keeps the answer off a pod that came after.
            body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
            await self._upstream.call("PATCH", where, body, MERGE_PATCH)
        except AnswerError as error:
            if error.code not in _NO_LONGER:
                raise


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod's Ready condition is True."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _condition(name: str, *, holds: bool) -> dict[str, Any]:
    return {"type": name, "status": "True" if holds else "False", "lastTransitionTime": _stamp()}


def _container(pod: Mapping[str, Any], state: Mapping[str, Any], *, ready: bool) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "none",
        "restartCount": 0,
        "ready": ready,
        "started": True,
        "state": state,
    }


def _stamp(seconds: float = 0) -> str:
    # The real clock: these are times that a kubelet would write.
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
