"""kubectl for tests and the demo: what a user would type, with answers as data."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

ValueT = TypeVar("ValueT")
POLL = 0.1


class KubectlError(RuntimeError):
    """kubectl refused; the message is its own."""


class Kube:
    """kubectl in one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        if "KUBECONFIG" not in os.environ:
            raise KubectlError("KUBECONFIG is not set: run this through `make demo` or `make test`")

    def run(self, *words: str, text: str | None = None, check: bool = True) -> str:
        """Run kubectl and return what it prints; with check=False also what it prints of an error."""
        done = subprocess.run(
            ["kubectl", "-n", self.namespace, *words],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout if check else done.stdout + done.stderr

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """One object, or None when it does not exist."""
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        found: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return found

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """One object that exists."""
        found = self.find(kind, name)
        if found is None:
            raise KubectlError(f"{kind} {name} does not exist in {self.namespace}")
        return found

    def list(self, kind: str, *words: str) -> list[dict[str, Any]]:
        """All objects of a kind in the namespace."""
        items: list[dict[str, Any]] = json.loads(self.run("get", kind, "-o", "json", *words))["items"]
        return items

    def apply(self, text: str) -> str:
        """Apply manifests from text."""
        return self.run("apply", "-f", "-", text=text)

    def reset(self, kind: str, name: str, value: str) -> None:
        """Reset a breaker or policy as the documentation says."""
        self.run("annotate", kind, name, f"recovery.ultra.dev/reset-requested-at={value}", "--overwrite")

    def pods(self, app: str) -> dict[str, str]:
        """Names and UIDs of an app's pods that are neither at their end nor on their way out."""
        items = self.list("pods", "-l", f"app.kubernetes.io/name={app}")
        return {
            item["metadata"]["name"]: item["metadata"]["uid"]
            for item in items
            if "deletionTimestamp" not in item["metadata"] and status(item).get("phase") not in ("Succeeded", "Failed")
        }

    def post(self, pod: str, path: str, *, check: bool = True) -> str:
        """POST to a pod through the API server's proxy, as a user without a way into the pod network would."""
        address = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:8080/proxy{path}"
        return self.run("create", "--raw", address, "-f", "-", text="", check=check)


def status(item: dict[str, Any] | None) -> dict[str, Any]:
    """The status of an object, empty when there is none."""
    found: dict[str, Any] = (item or {}).get("status") or {}
    return found


def condition(item: dict[str, Any] | None, kind: str) -> dict[str, Any]:
    """One condition of an object, empty when there is none."""
    return next((entry for entry in status(item).get("conditions", []) if entry["type"] == kind), {})


def wait_for(
    look: Callable[[], ValueT], what: str, *, seconds: float = 60.0, instead: Callable[[], object] | None = None
) -> ValueT:
    """Look until the answer is true.

    Args:
        look: what to look at.
        what: what is waited for, in words.
        seconds: how long.
        instead: what to show when it does not come, if that is not the last answer.

    Raises:
        AssertionError: it did not become true; the message says what was waited for, and what was there last.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            last = instead() if instead else found
            raise AssertionError(f"not within {seconds:.0f} s: {what}; at last: {last!r}")
        time.sleep(POLL)
