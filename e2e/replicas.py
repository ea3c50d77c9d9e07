"""Two replicas of the operator: who leads, their processes, what the API server and a probed pod saw of them."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e.install import OPERATOR_NAMESPACE, WEB_IMAGE
from e2e.kube import Kube, condition, status, wait_for
from ultra_recovery.core.naming import LEADER_LEASE

DEPLOYMENT = "deployment/ultra-recovery"
PODS = ("pods", "-l", "app.kubernetes.io/name=ultra-recovery")
REVIEWS = ("tokenreviews", "subjectaccessreviews", "localsubjectaccessreviews")
SCRIPT = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(f"{time.time():.3f} {self.client_address[0]}", flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
RECORDER = """
apiVersion: v1
kind: Pod
metadata: {name: recorder, labels: {app.kubernetes.io/name: recorder}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: recorder
      image: %s
      imagePullPolicy: IfNotPresent
      command: [python3, -c, %s]
      ports: [{name: http, containerPort: 8080}]
      readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: recorder}
spec:
  selector: {app.kubernetes.io/name: recorder}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: recovery.ultra.dev/v1alpha1
kind: CircuitBreaker
metadata: {name: recorder}
spec:
  target: {http: {serviceRef: {name: recorder, port: 80}}}
  probe: {interval: 1s, timeout: 1s}
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe as its target saw it; the moment is in seconds of the epoch."""

    at: float
    source: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a service account as the API server saw it."""

    at: float
    pod: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int

    @property
    def accepted_write(self) -> bool:
        """Whether it changed something. Questions about rights are creations that create nothing."""
        return self.verb not in ("get", "list", "watch") and self.code < 300 and self.resource not in REVIEWS


class Pair:
    """The replicas of the operator, found by the Lease of the leader and never by their order."""

    def __init__(self, operator: Kube) -> None:
        self.operator = operator

    def pods(self) -> dict[str, dict[str, Any]]:
        """All pods of the operator that are not on their way out, by name."""
        found = {item["metadata"]["name"]: item for item in self.operator.list(*PODS)}
        return {
            name: item
            for name, item in found.items()
            if "deletionTimestamp" not in item["metadata"]
            and any(container["name"] == "operator" for container in item["spec"]["containers"])
        }

    def address(self, pod: str) -> str:
        """The IP address of a pod."""
        return str(status(self.operator.get("pod", pod))["podIP"])

    def lease(self) -> dict[str, Any]:
        """The spec of the leader's Lease."""
        found: dict[str, Any] = (self.operator.find("lease", LEADER_LEASE) or {}).get("spec") or {}
        return found

    def term(self) -> int:
        """The present term."""
        return int(self.lease().get("leaseTransitions", 0))

    def leader(self) -> str:
        """The pod that leads, once one does."""
        return wait_for(
            lambda: next((pod for pod in self.pods() if pod == self.lease().get("holderIdentity")), ""), "one leads"
        )

    def restarts(self) -> dict[str, int]:
        """How often the containers of each pod were restarted."""
        return {
            name: sum(item["restartCount"] for item in status(pod).get("containerStatuses", []))
            for name, pod in self.pods().items()
        }

    def make_fresh(self) -> None:
        """Two ready pods that were never restarted: the kubelet lets a container that died often wait for minutes."""
        wait_for(self._are_fresh, "two fresh pods", seconds=120, instead=self.restarts)
        self.leader()

    def _are_fresh(self) -> bool:
        used = [name for name, count in self.restarts().items() if count]
        if used:
            self.operator.run("delete", "pods", *used, "--wait=true", "--ignore-not-found")
        pods = self.pods().values()
        ready = [item for item in pods if condition(item, "Ready").get("status") == "True"]
        return not used and len(ready) == len(pods) == 2

    def await_term(self, after: int, *, seconds: float = 40.0) -> dict[str, Any]:
        """The Lease, once a pod leads in a term later than `after`."""

        def look() -> dict[str, Any] | None:
            lease = self.lease()
            return lease if lease.get("leaseTransitions", 0) > after and lease.get("holderIdentity") else None

        return wait_for(look, "another term begins", seconds=seconds, instead=self.lease)


def process_of(pod: str) -> int:
    """The id, on this machine, of the operator's process in a pod.

    Raises:
        AssertionError: there is none, or more than one.
    """
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"operator" in words and f"ULTRA_IDENTITY={pod}".encode() in environment:
            found.append(int(folder.name))
    assert len(found) == 1, f"processes of {pod}: {found}"
    return found[0]


def send(pid: int, number: signal.Signals) -> float:
    """Send a signal; the moment, in seconds of the epoch."""
    os.kill(pid, number)
    return time.time()


def apply_recorder(kube: Kube) -> None:
    """A pod that notes who probes it and when, every second, and its breaker; returns when the first probe came."""
    image = os.environ.get("ULTRA_WEB_IMAGE", WEB_IMAGE)
    kube.apply(RECORDER % (image, json.dumps(SCRIPT)))
    wait_for(lambda: probes(kube), "the recorder is probed")


def probes(kube: Kube) -> list[Probe]:
    """Everything that the recorder noted."""
    lines = kube.run("logs", "recorder", check=False).splitlines()
    words = [line.split() for line in lines if line[:1].isdigit()]
    return [Probe(float(at), source) for at, source in words]


def calls(since: float) -> list[Call]:
    """What service accounts asked the API server for from a moment on, from its audit log."""
    log = Path(os.environ["ULTRA_AUDIT_LOG"])
    found = []
    for file in sorted(log.parent.glob(f"{log.stem}*")):
        if file.stat().st_mtime < since:
            continue
        for line in file.read_text().splitlines():
            item = json.loads(line)
            if item.get("stage") == "ResponseComplete" and seconds(item["requestReceivedTimestamp"]) >= since:
                found.append(_call(item))
    return sorted(found, key=lambda call: call.at)


def _call(item: dict[str, Any]) -> Call:
    reference = item.get("objectRef") or {}
    pod = item["user"].get("extra", {}).get("authentication.kubernetes.io/pod-name", [""])[0]
    resource = "/".join(filter(None, (reference.get("resource", ""), reference.get("subresource", ""))))
    where, name = reference.get("namespace", ""), reference.get("name", "")
    code = int((item.get("responseStatus") or {}).get("code", 0))
    return Call(seconds(item["requestReceivedTimestamp"]), pod, item["verb"], resource, where, name, code)


def seconds(text: str) -> float:
    """A time of the API as seconds of the epoch."""
    return datetime.fromisoformat(text).timestamp()


def operator_namespace() -> Kube:
    """Kubectl where the operator is."""
    return Kube(OPERATOR_NAMESPACE)
