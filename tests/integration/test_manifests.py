"""What the API server says to wrong manifests: it refuses them and names the field; right ones get their defaults."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
API_VERSION = "recovery.ultra.dev/v1alpha1"

BREAKER: dict[str, Any] = {"target": {"http": {"serviceRef": {"name": "db", "port": 80}}}}
POLICY: dict[str, Any] = {
    "targetRef": {"kind": "Deployment", "name": "web"},
    "triggers": [{"name": "pods", "podUnhealthy": {}}],
    "ladder": [{"name": "restart", "action": {"restartPods": {}}}],
}
RUN: dict[str, Any] = {
    "policyName": "web",
    "cause": "Trigger",
    "incident": 1,
    "sequence": 1,
    "attempt": 1,
    "triggers": ["pods"],
}
SPECS = {"CircuitBreaker": BREAKER, "RecoveryPolicy": POLICY, "RecoveryRun": RUN}
GONE = object()


def kubectl(*words: str, document: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    assert "KUBECONFIG" in os.environ, "KUBECONFIG is not set: run `make test`"
    text = json.dumps(document) if document else None
    return subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module", autouse=True)
def crds() -> None:
    done = kubectl("apply", "--server-side", "--force-conflicts", "-f", str(PROJECT / "crds"))
    assert done.returncode == 0, done.stderr
    done = kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(PROJECT / "crds"))
    assert done.returncode == 0, done.stderr


def changed(kind: str, path: str, value: object) -> dict[str, Any]:
    """A right manifest with one field set to something else; numbers in the path are places in lists."""
    spec = copy.deepcopy(SPECS[kind])
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = spec
    for part in parents:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    if value is GONE:
        del place[last]
    elif isinstance(last, int):
        place.insert(last, value)
    else:
        place[last] = value
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "row", "namespace": "default"}, "spec": spec}


def submit(document: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return kubectl("create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-", document=document)


CB, RP, RR = "CircuitBreaker", "RecoveryPolicy", "RecoveryRun"
BAD = [
    (CB, "target", GONE, "spec.target: Required value"),
    (CB, "target", {}, "set exactly one target: http or workload"),
    (CB, "target.workload", {"kind": "Deployment", "name": "web"}, "set exactly one target: http or workload"),
    (CB, "target.http", {}, "set exactly one of serviceRef"),
    (CB, "target.http.url", "http://example.com", "set exactly one of serviceRef"),
    (CB, "target.http.serviceRef.port", 0, "spec.target.http.serviceRef.port"),
    (CB, "target.http.serviceRef.port", 65536, "spec.target.http.serviceRef.port"),
    (CB, "target.http.serviceRef.port", "http", "spec.target.http.serviceRef.port"),
    (CB, "target.http.serviceRef.name", "Not_A_Name", "spec.target.http.serviceRef.name"),
    (CB, "target.http.serviceRef.namespace", "other", 'unknown field "spec.target.http.serviceRef.namespace"'),
    (CB, "target.http.path", "healthz", "spec.target.http.path"),
    (CB, "target.http.method", "DELETE", "spec.target.http.method"),
    (CB, "target.http.successCodes", "2xx", "spec.target.http.successCodes"),
    (CB, "failureThreshold", 0, "spec.failureThreshold"),
    (CB, "failureThreshold", 101, "spec.failureThreshold"),
    (CB, "successThreshold", "three", "spec.successThreshold"),
    (CB, "probe.interval", "30", "spec.probe.interval"),
    (CB, "probe.interval", "0s", "from 1s to 1h"),
    (CB, "probe.timeout", "2h", "from 1s to 1h"),
    (CB, "recoveryTimeout", "20m", "raise openMax or lower recoveryTimeout"),
    (CB, "treshold", 5, 'unknown field "spec.treshold"'),
    (RP, "targetRef", GONE, "spec.targetRef: Required value"),
    (RP, "targetRef.kind", "DaemonSet", "spec.targetRef.kind"),
    (RP, "targetRef.name", "", "spec.targetRef.name"),
    (RP, "mode", "auto", "spec.mode"),
    (RP, "triggers", [], "spec.triggers"),
    (RP, "triggers", GONE, "spec.triggers: Required value"),
    (RP, "triggers.0.circuitOpen", {"breaker": "db"}, "set exactly one kind of trigger"),
    (RP, "triggers.1", {"name": "pods", "podUnhealthy": {}}, "Duplicate value"),
    (RP, "triggers.0.podUnhealthy.reasons", ["Sad"], "spec.triggers[0].podUnhealthy.reasons[0]"),
    (RP, "triggers.0.for", "soon", "spec.triggers[0].for"),
    (RP, "ladder", [], "spec.ladder"),
    (RP, "ladder.0.action", {}, "set exactly one kind of action"),
    (RP, "ladder.1", {"name": "restart", "action": {"restartPods": {}}}, "every step needs a name of its own"),
    (RP, "ladder.0.action.restartPods.pods", "Some", "spec.ladder[0].action.restartPods.pods"),
    (RP, "ladder.0.timeout", "290s", "raise limits.timeout or shorten the steps"),
    (RP, "verify.healthyFor", "20s", "healthyFor must be shorter than within"),
    (RP, "limits.maxAttempts", 0, "spec.limits.maxAttempts"),
    (RP, "limits.minHealthy", "half", "spec.limits.minHealthy"),
    (RP, "limits.minHealthy", "101%", "spec.limits.minHealthy"),
    (RP, "limits.cooldown", "25h", "from 1s to 24h"),
    (RR, "policyName", GONE, "spec.policyName: Required value"),
    (RR, "cause", "Boredom", "spec.cause"),
    (RR, "sequence", 0, "spec.sequence"),
    (RR, "triggers", [], "spec.triggers"),
]


def names(rows: list[Any]) -> list[str]:
    return [f"{kind}-{path}-{number}" for number, (kind, path, *_) in enumerate(rows)]


@pytest.mark.parametrize(("kind", "path", "value", "message"), BAD, ids=names(BAD))
def test_a_wrong_manifest_is_refused_with_the_field(kind: str, path: str, value: object, message: str) -> None:
    done = submit(changed(kind, path, value))
    assert done.returncode != 0
    assert message in done.stderr


GOOD = [
    (CB, "failureThreshold", 1),
    (CB, "failureThreshold", 100),
    (CB, "probe.interval", "1h"),
    (CB, "target.http", {"url": "https://status.example.com:8443/health?full=1"}),
    (CB, "target", {"workload": {"kind": "StatefulSet", "name": "db", "minReady": "100%"}}),
    (RP, "ladder.0.timeout", "280s"),
    (RP, "mode", "Paused"),
    (RP, "triggers.1", {"name": "database", "circuitOpen": {"breaker": "db"}, "for": "10s"}),
    (RR, "expiresAfter", "1s"),
]


@pytest.mark.parametrize(("kind", "path", "value"), GOOD, ids=names(GOOD))
def test_a_right_manifest_is_accepted(kind: str, path: str, value: object) -> None:
    done = submit(changed(kind, path, value))
    assert done.returncode == 0, done.stderr


def test_defaults_are_visible_in_the_stored_object() -> None:
    breaker = json.loads(submit(changed(CB, "successThreshold", 3)).stdout)["spec"]
    assert (breaker["failureThreshold"], breaker["probe"]["interval"]) == (5, "30s")
    policy = json.loads(submit(changed(RP, "mode", "Auto")).stdout)["spec"]
    assert (policy["limits"]["maxAttempts"], policy["verify"]["healthyFor"]) == (3, "5s")
    assert policy["triggers"][0]["podUnhealthy"]["reasons"] == ["NotReady"]


def test_the_spec_of_a_run_never_changes() -> None:
    document = changed(RR, "sequence", 1)
    document["metadata"]["name"] = "immutable-row"
    try:
        assert kubectl("create", "-f", "-", document=document).returncode == 0
        patch = '{"spec":{"attempt":2}}'
        done = kubectl("patch", "rr", "immutable-row", "-n", "default", "--type=merge", "-p", patch)
        assert "the spec of a run never changes" in done.stderr
    finally:
        kubectl("delete", "rr", "immutable-row", "-n", "default", "--ignore-not-found")
