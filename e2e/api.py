"""The recovery API as its callers use it: curl, a token of the cluster, and a way to the Service."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.install import OPERATOR_NAMESPACE
from e2e.kube import Kube, wait_for

AUDIENCE = "ultra-recovery"
RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: oncall}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: oncall}
rules:
  - apiGroups: [recovery.ultra.dev]
    resources: [circuitbreakers, recoveryruns]
    verbs: [list, create, patch]
  - apiGroups: [recovery.ultra.dev]
    resources: [circuitbreakers/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: oncall}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: oncall}
subjects: [{kind: ServiceAccount, name: oncall}]
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl got."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Api:
    """Calls with one token."""

    url: str
    token: str = ""

    def curl(self, path: str, *words: str) -> Answer:
        """One call, as a runbook prints it."""
        bearer = ("-H", f"Authorization: Bearer {self.token}") if self.token else ()
        done = subprocess.run(
            ["curl", "-s", "-m", "20", "-w", "\n%{http_code}", f"{self.url}{path}", *bearer, *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        text, _, code = done.stdout.rpartition("\n")
        return Answer(int(code), json.loads(text) if text.startswith("{") else text)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """A POST without a word about its type."""
        return self.curl(path, "-X", "POST", "-d", json.dumps(body))


@contextmanager
def way_in(namespace: str = OPERATOR_NAMESPACE, scheme: str = "http") -> Iterator[str]:
    """The address of the Service for as long as the block runs; the pod behind it may not change meanwhile."""
    words = ["kubectl", "-n", namespace, "port-forward", "service/ultra-recovery-api", ":8085"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "127.0.0.1:" in line, line
        url = f"{scheme}://{line.split()[2]}"
        wait_for(lambda: Api(url).curl("/readyz").status == 200, "the API is ready")
        yield url
    finally:
        process.terminate()
        process.communicate()


def token_of(kube: Kube, account: str) -> str:
    """A short-lived token for the API's audience."""
    return kube.run("create", "token", account, f"--audience={AUDIENCE}").strip()


class Stream:
    """The events of a stream, with the moment at which each came."""

    def __init__(self, api: Api) -> None:
        bearer = f"Authorization: Bearer {api.token}"
        self._process = subprocess.Popen(
            ["curl", "-sN", "-H", bearer, f"{api.url}/api/recovery/events"], stdout=subprocess.PIPE, text=True
        )
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.opened = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self.opened.wait(20), "the stream did not open"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.opened.set()
            if line.startswith("data: "):
                self.events.append((time.monotonic(), json.loads(line[6:])))

    def close(self) -> None:
        """End the stream."""
        self._process.terminate()
        self._process.wait()
        self._thread.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
