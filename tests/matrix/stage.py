"""A namespace for one experiment, with workloads in it, and everything a user might do there."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from tests.matrix.kubelet import Kubelet
from tests.matrix.upstream import MERGE_PATCH, AnswerError, Upstream

OURS = "/apis/recovery.ultra.dev/v1alpha1"
KINDS = ("circuitbreakers", "recoverypolicies", "recoveryruns")
_PATHS = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "CircuitBreaker": (OURS, "circuitbreakers"),
    "RecoveryPolicy": (OURS, "recoverypolicies"),
    "RecoveryRun": (OURS, "recoveryruns"),
}
POLL = 0.1


class StageError(Exception):
    """The stage itself could not be set up or read: says nothing about the operator."""


class Stage:
    """One throw-away namespace; no scheduler and no kubelet touches its pods."""

    def __init__(self, upstream: Upstream) -> None:
        self.namespace = f"matrix-{secrets.token_hex(4)}"
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self.kubelet = Kubelet(upstream, self.namespace)

    async def __aenter__(self) -> Stage:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self._upstream.call("POST", "/api/v1/namespaces", body)
        # Without its account the namespace admits no pod, and controllers back off.
        await self.until(self._has_account, "the namespace has its default account")
        await self.kubelet.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kubelet.__aexit__()
        with contextlib.suppress(AnswerError):
            await self._upstream.call("DELETE", f"/api/v1/namespaces/{self.namespace}")

    async def _has_account(self) -> bool:
        try:
            await self._upstream.call("GET", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default")
        except AnswerError:
            return False
        return True

    async def until(self, look: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
        """Look until it is so.

        Raises:
            StageError: it did not become so in time.
        """
        deadline = self._loop.time() + seconds
        while True:
            answer = look()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            if self._loop.time() > deadline:
                raise StageError(f"not within {seconds:.0f} s: {what}")
            await asyncio.sleep(POLL)

    async def create(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object of a kind named above."""
        return await self._upstream.call("POST", self._path(document["kind"]), document)

    async def change(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        """Merge a patch into an object."""
        await self._upstream.call("PATCH", f"{self._path(kind)}/{name}", body, MERGE_PATCH)

    async def annotate(self, kind: str, name: str, key: str, value: str) -> None:
        """Annotate an object, as `kubectl annotate` does."""
        await self.change(kind, name, {"metadata": {"annotations": {f"recovery.ultra.dev/{key}": value}}})

    async def delete(self, kind: str, name: str) -> None:
        """Delete an object."""
        await self._upstream.call("DELETE", f"{self._path(kind)}/{name}")

    async def start_workload(self, name: str, replicas: int) -> None:
        """A Deployment whose pods are Ready when this returns, and it knows."""
        await self.create(deployment(name, replicas))
        await self.until(lambda: self.kubelet.ready(name) == replicas, f"{replicas} pods of {name} are Ready")
        await self.told_ready(name, replicas)

    async def told_ready(self, name: str, replicas: int) -> None:
        """The Deployment tells of as many Ready pods; its controller finds out some time after the pods do."""

        async def level() -> bool:
            found = await self._upstream.call("GET", f"{self._path('Deployment')}/{name}")
            return found.get("status", {}).get("readyReplicas") == replicas

        await self.until(level, f"Deployment {name} says that it is Ready")

    async def hang(self, app: str, count: int = 1) -> None:
        """The first pods of a workload are not Ready any more."""
        await asyncio.gather(*(self.kubelet.hang(pod) for pod in self.kubelet.of(app)[:count]))

    async def heal(self, app: str) -> None:
        """All pods of a workload are Ready again."""
        await asyncio.gather(*(self.kubelet.heal(pod) for pod in self.kubelet.of(app)))

    async def list(self, kind: str, base: str = OURS) -> list[dict[str, Any]]:
        """All objects of a kind (plural) in the namespace."""
        found = await self._upstream.call("GET", f"{base}/namespaces/{self.namespace}/{kind}")
        items: list[dict[str, Any]] = found.get("items") or []
        return items

    async def leases(self) -> list[dict[str, Any]]:
        """All Leases of the namespace."""
        return await self.list("leases", "/apis/coordination.k8s.io/v1")

    async def jobs(self) -> list[dict[str, Any]]:
        """All Jobs of the namespace."""
        return await self.list("jobs", "/apis/batch/v1")

    async def delete_ours(self) -> None:
        """Delete everything of our kinds; with the operator down nothing may hold it back."""
        for plural in KINDS:
            await self._upstream.call("DELETE", f"{OURS}/namespaces/{self.namespace}/{plural}")

        async def gone() -> bool:
            return not any([await self.list(plural) for plural in KINDS])

        await self.until(gone, "our objects are gone with the operator down", 10.0)

    def _path(self, kind: str) -> str:
        base, plural = _PATHS[kind]
        return f"{base}/namespaces/{self.namespace}/{plural}"


def pod_template(name: str) -> dict[str, Any]:
    """A pod that stays where it was made: no scheduler has this name."""
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "schedulerName": "none",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": "localhost/none:1"}],
        },
    }


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """A Deployment of such pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name),
        },
    }
