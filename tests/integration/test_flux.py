"""The health checks for Flux, evaluated by the API server's own CEL on statuses that the operator wrote.

A policy of the API server refuses every status in the test's namespace, and says in its refusal what the expressions
give. Flux evaluates them in the order failed, current, after it has compared the generations.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import yaml

from e2e.kube import wait_for
from tests.gitops.recorded import PROJECT, READINGS, RECORDED
from tests.integration.conftest import kubectl
from tests.specs import SPECS

FLUX = yaml.safe_load((PROJECT / "deploy/flux/kustomization.yaml").read_text())
CHECKS: dict[str, dict[str, str]] = {check["kind"]: check for check in FLUX["spec"]["healthCheckExprs"]}
PLURALS = {"CircuitBreaker": "circuitbreakers", "RecoveryPolicy": "recoverypolicies"}
NAMES = [name for name, reading in READINGS.items() if reading.flux]
WAIT = 30.0


def admission_policy(name: str, kind: str) -> list[dict[str, Any]]:
    """A policy, and its binding, that refuses all statuses of a kind and tells what the expressions give."""
    parts = [
        f"'{result}=' + string({re.sub(r'^status', 'object.status', CHECKS[kind][result])})"
        for result in ("failed", "current")
    ]
    rule = {
        "apiGroups": ["recovery.ultra.dev"],
        "apiVersions": ["v1alpha1"],
        "operations": ["UPDATE"],
        "resources": [f"{PLURALS[kind]}/status"],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    meta = {"name": f"{name}-{kind.lower()}"}
    spec = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
        "validations": [{"expression": "false", "messageExpression": " + ' ' + ".join(parts)}],
    }
    api = "admissionregistration.k8s.io/v1"
    bound = {"policyName": meta["name"], "validationActions": ["Deny"]}
    return [
        {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": meta, "spec": spec},
        {"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": meta, "spec": bound},
    ]


def apply(*items: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
    subprocess.run(["kubectl", "apply", "-f", "-"], input=text, capture_output=True, text=True, timeout=60, check=True)


def refusal(namespace: str, kind: str, status: dict[str, Any]) -> str:
    """What the API server says to a status; "" when it takes it."""
    patch = json.dumps({"status": status})
    words = ("-n", namespace, "patch", PLURALS[kind], "it", "--subresource=status", "--type=merge", "-p", patch)
    done = subprocess.run(
        ["kubectl", *words, "--dry-run=server"], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def namespace(kinds: None) -> Iterator[str]:
    """A namespace with one object of each kind, whose statuses are refused with what Flux would make of them."""
    name = f"flux-{uuid4().hex[:8]}"
    policies = [item for kind in CHECKS for item in admission_policy(name, kind)]
    objects = [
        {
            "apiVersion": "recovery.ultra.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": "it", "namespace": name},
            "spec": SPECS[kind],
        }
        for kind in CHECKS
    ]
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *objects, *policies)
    wait_for(
        lambda: all(refusal(name, kind, {"observedGeneration": 1}) for kind in CHECKS),
        "the policies come into force",
        seconds=WAIT,
    )
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
    for item in policies:
        kubectl("delete", item["kind"].lower(), item["metadata"]["name"])


def read_by_flux(namespace: str, name: str) -> str:
    """The result for a recorded object, by the rules of Flux."""
    item = RECORDED[name]
    status = item["status"]
    if status and status["observedGeneration"] != item["generation"]:
        return "InProgress"
    # The object in the API server has its first generation.
    answer = refusal(namespace, item["kind"], {**status, "observedGeneration": 1} if status else {})
    if "no such key: status" in answer:
        # An expression that cannot be evaluated yet: Flux waits.
        return "InProgress"
    found = re.search(r"failed=(true|false) current=(true|false)", answer)
    assert found, answer
    return "Failed" if found[1] == "true" else "Current" if found[2] == "true" else "InProgress"


def test_every_kind_that_belongs_into_git_has_expressions() -> None:
    assert set(CHECKS) == set(PLURALS)
    assert FLUX["spec"]["wait"] is True


@pytest.mark.parametrize("name", NAMES)
def test_flux_tells_what_is_enforced_from_what_is_not(namespace: str, name: str) -> None:
    assert read_by_flux(namespace, name) == READINGS[name].flux
