"""A tiny controller of Deployments and StatefulSets: pods that terminate are replaced, as in a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ultra_recovery.adapters.memory import pods
from ultra_recovery.adapters.memory.store import MemoryStore
from ultra_recovery.core.objects import Key, Kind

_WORKLOADS = (Kind.DEPLOYMENT, Kind.STATEFUL_SET)


class Workloads:
    """Makes workloads with their pods, and keeps them as the controllers of a cluster do.

    Attributes:
        terminate_after: seconds from the eviction of a pod until it is gone.
        ready_after: seconds from the creation of a replacement until it is Ready; None: it never gets Ready.
    """

    def __init__(self, store: MemoryStore, *, terminate_after: float = 1.0, ready_after: float | None = 2.0) -> None:
        self.terminate_after = terminate_after
        self.ready_after = ready_after
        self._store = store
        self._names = 0
        self._busy = False
        store.control(self._react)

    def deployment(self, namespace: str, name: str, replicas: int = 3, *, ready: bool = True) -> Key:
        """Add a Deployment; its pods exist and are Ready, or stay not Ready until told otherwise."""
        return self._add(Kind.DEPLOYMENT, namespace, name, replicas, ready=ready)

    def stateful_set(self, namespace: str, name: str, replicas: int = 3, *, ready: bool = True) -> Key:
        """Add a StatefulSet; its pods exist and are Ready, or stay not Ready until told otherwise."""
        return self._add(Kind.STATEFUL_SET, namespace, name, replicas, ready=ready)

    def pods(self, workload: Key) -> list[Key]:
        """The workload's pods by name, terminating ones included."""
        labels = {"app": workload.name}.items()
        return sorted(
            key
            for key, document in self._store.documents.items()
            if key.kind is Kind.POD
            and key.namespace == workload.namespace
            and labels <= (document["metadata"].get("labels") or {}).items()
        )

    def set_ready(self, pod: Key, ready: bool) -> None:
        """Let a pod become Ready, or stop being so."""
        now = self._store.clock.now()
        self._store.change(pod, lambda document: pods.set_ready(document, ready, now))

    def set_waiting(self, pod: Key, reason: str) -> None:
        """Let the pod's container wait for a reason, such as CrashLoopBackOff; the pod is then not Ready."""
        now = self._store.clock.now()
        self._store.change(pod, lambda document: pods.set_waiting(document, reason, now))

    def scale(self, workload: Key, replicas: int) -> None:
        """Change spec.replicas."""
        self._store.change(workload, lambda document: document["spec"].__setitem__("replicas", replicas))

    def start_rollout(self, workload: Key) -> None:
        """Change the pod template; the pods stay the old ones until `finish_rollout`."""

        def mutate(document: dict[str, Any]) -> None:
            annotations = document["spec"]["template"]["metadata"].setdefault("annotations", {})
            annotations["revision"] = str(int(annotations.get("revision", "0")) + 1)

        self._store.change(workload, mutate)

    def finish_rollout(self, workload: Key) -> None:
        """Replace all pods of older templates by Ready ones of the present template."""
        revision = pods.revision(self._store.find(workload))
        with self._alone():
            for key in self.pods(workload):
                if pods.revision_of(self._store.find(key)) != revision:
                    self._store.remove(key)
            self._fill(workload, ready=True)
            self._write_status(workload)

    def _add(self, kind: Kind, namespace: str, name: str, replicas: int, *, ready: bool) -> Key:
        key = Key(kind, namespace, name)
        with self._alone():
            self._store.add(kind, pods.workload_document(key, replicas))
            self._fill(key, ready=ready)
            self._write_status(key)
        return key

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Our own writes must not start another reconciliation inside the present one."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _react(self, kind: Kind, document: Mapping[str, Any], deleted: bool) -> None:
        meta = document["metadata"]
        key = Key(kind, meta.get("namespace", ""), meta["name"])
        if kind in _WORKLOADS and not deleted:
            self._reconcile(key)
        elif kind is Kind.POD:
            if meta.get("deletionTimestamp") and not deleted:
                self._later(self.terminate_after, lambda: self._vanish(key, meta["uid"]))
            for workload in _WORKLOADS:
                owner = Key(workload, key.namespace, (meta.get("labels") or {}).get("app", ""))
                if owner in self._store.documents and pods.workload_kind(document) is workload:
                    self._reconcile(owner)

    def _reconcile(self, workload: Key) -> None:
        """Remove pods that are too many, add missing ones, and write the status."""
        document = self._store.documents.get(workload)
        if document is None or self._busy:
            return
        now = self._store.clock.now()
        with self._alone():
            for key in self._live(workload)[document["spec"]["replicas"] :]:
                self._store.change(key, lambda pod: pods.terminate(pod, now))
            for key in self._fill(workload, ready=False):
                self._await_ready(key)
            self._write_status(workload)

    def _live(self, workload: Key) -> list[Key]:
        return [key for key in self.pods(workload) if not self._store.find(key)["metadata"].get("deletionTimestamp")]

    def _fill(self, workload: Key, *, ready: bool) -> list[Key]:
        document = self._store.find(workload)
        is_deployment = workload.kind is Kind.DEPLOYMENT
        # A ReplicaSet replaces a pod as soon as it terminates; a StatefulSet needs the name and waits until it is gone.
        present = self._live(workload) if is_deployment else self.pods(workload)
        names = {key.name for key in present}
        started = []
        for ordinal in range(document["spec"]["replicas"]):
            if len(names) >= document["spec"]["replicas"]:
                break
            self._names += is_deployment
            name = pods.pod_name(document, self._names if is_deployment else ordinal)
            if name not in names:
                names.add(name)
                pod = pods.pod_document(document, name, self._store.clock.now(), ready=ready)
                self._store.add(Kind.POD, pod)
                started.append(Key(Kind.POD, workload.namespace, name))
        return started

    def _await_ready(self, pod: Key) -> None:
        uid = self._store.find(pod)["metadata"]["uid"]
        if self.ready_after is not None:
            self._later(self.ready_after, lambda: self._become_ready(pod, uid))

    def _become_ready(self, pod: Key, uid: str) -> None:
        if self._is(pod, uid) and not self._store.find(pod)["metadata"].get("deletionTimestamp"):
            self.set_ready(pod, True)

    def _vanish(self, pod: Key, uid: str) -> None:
        if self._is(pod, uid):
            self._store.remove(pod)

    def _is(self, pod: Key, uid: str) -> bool:
        document = self._store.documents.get(pod)
        return document is not None and document["metadata"]["uid"] == uid

    def _write_status(self, workload: Key) -> None:
        live = [self._store.find(key) for key in self._live(workload)]
        self._store.change(workload, lambda document: pods.set_workload_status(document, live))

    def _later(self, delay: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay, action)
