"""Reporters and the operator write into one status on a real API server, and leave each other's part alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

API_VERSION = "recovery.ultra.dev/v1alpha1"
BREAKER = {"apiVersion": API_VERSION, "kind": "CircuitBreaker", "metadata": {"name": "openai"}}


def kubectl(*words: str, document: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    assert "KUBECONFIG" in os.environ, "KUBECONFIG is not set: run `make test`"
    text = json.dumps(document) if document else None
    return subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, timeout=60, check=False)


def done(process: subprocess.CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace with an external breaker in it."""
    name = f"reporters-{uuid4().hex[:8]}"
    done(kubectl("create", "namespace", name))
    document = {**BREAKER, "spec": {"target": {"external": {}}}}
    done(kubectl("create", "-n", name, "-f", "-", document=document))
    yield name
    done(kubectl("delete", "namespace", name, "--wait=false"))


def report(namespace: str, name: str, manager: str = "", **entry: Any) -> subprocess.CompletedProcess[str]:
    full = {"name": name, "epoch": 0, "lastOutcome": "Failure", "reportedAt": "2026-01-01T00:00:00Z", **entry}
    how = ("--server-side", "--subresource=status", f"--field-manager={manager or f'ultra-recovery-report-{name}'}")
    document = {**BREAKER, "status": {"reporters": [full]}}
    return kubectl("apply", "-n", namespace, *how, "-f", "-", document=document)


def stored(namespace: str) -> dict[str, Any]:
    return json.loads(done(kubectl("get", "-n", namespace, "cb", "openai", "-o", "json")))


def write(namespace: str, status: dict[str, Any], version: str) -> subprocess.CompletedProcess[str]:
    """What the operator does: a merge patch of the difference, guarded by the version."""
    patch = json.dumps({"metadata": {"resourceVersion": version}, "status": status})
    return kubectl("patch", "-n", namespace, "cb", "openai", "--subresource=status", "--type=merge", "-p", patch)


def test_reporters_write_side_by_side_and_the_operator_changes_none_of_them(namespace: str) -> None:
    done(report(namespace, "a", consecutiveFailures=1))
    done(report(namespace, "b", consecutiveFailures=2))
    done(write(namespace, {"state": "Open", "epoch": 1}, stored(namespace)["metadata"]["resourceVersion"]))
    done(report(namespace, "a", consecutiveFailures=3))
    status = stored(namespace)["status"]
    assert {item["name"]: item["consecutiveFailures"] for item in status["reporters"]} == {"a": 3, "b": 2}
    assert (status["state"], status["epoch"]) == ("Open", 1)


def test_a_report_in_between_makes_the_operator_look_again(namespace: str) -> None:
    version = stored(namespace)["metadata"]["resourceVersion"]
    done(report(namespace, "a"))
    assert "Conflict" in write(namespace, {"state": "Open"}, version).stderr


def test_nobody_takes_over_the_entry_of_another(namespace: str) -> None:
    done(report(namespace, "a", consecutiveFailures=1))
    assert "conflict" in report(namespace, "a", manager="somebody", consecutiveFailures=9).stderr


def test_there_are_at_most_64_reporters_and_each_entry_has_its_bounds(namespace: str) -> None:
    entries = [
        {"name": f"r{count}", "epoch": 0, "lastOutcome": "Neutral", "reportedAt": "2026-01-01T00:00:00Z"}
        for count in range(65)
    ]
    version = stored(namespace)["metadata"]["resourceVersion"]
    assert "must have at most 64 items" in write(namespace, {"reporters": entries}, version).stderr
    assert "may not be more than 256" in report(namespace, "a", message="x" * 257).stderr
    assert "supported values" in report(namespace, "a", lastOutcome="Bad").stderr


def test_a_window_is_refused_for_an_external_target(namespace: str) -> None:
    document = {**BREAKER, "metadata": {"name": "row"}, "spec": {"target": {"external": {}}, "window": {"count": {}}}}
    answer = kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", document=document).stderr
    assert "spec.window" in answer
    assert "a window judges probes and an external target has none" in answer
