"""What is wrong only later: the object says so, nothing is done, and mending it heals without a restart."""

from __future__ import annotations

import pytest

from e2e.kube import Kube, condition, wait_for

BREAKER = """
apiVersion: recovery.ultra.dev/v1alpha1
kind: CircuitBreaker
metadata: {{name: odd}}
spec:
  target: {{http: {target}}}
  probe: {{interval: 1s, timeout: 1s}}
"""


def stalled(kube: Kube, kind: str, name: str) -> str:
    """The reason of the Stalled condition, "" while there is none."""
    found = condition(kube.get(kind, name), "Stalled")
    return str(found.get("reason", "")) if found.get("status") == "True" else ""


@pytest.mark.failure(
    of="Input",
    what="A breaker names a Service that does not exist",
    see="`Stalled` and `Ready=False` with the reason; it goes on by itself once the Service is there",
    bound="the breaker never moves meanwhile",
)
def test_a_breaker_whose_service_is_missing_is_stalled_until_the_service_is_there(kube: Kube) -> None:
    kube.apply(BREAKER.format(target="{serviceRef: {name: late, port: 80}}"))
    wait_for(lambda: stalled(kube, "cb", "odd") == "TargetNotFound", "the breaker says what is missing")
    assert "Service late does not exist" in kube.run("describe", "cb", "odd")
    kube.apply(
        "{apiVersion: v1, kind: Service, metadata: {name: late}, "
        "spec: {selector: {app.kubernetes.io/name: web}, ports: [{port: 80, targetPort: 8080}]}}"
    )
    wait_for(lambda: condition(kube.get("cb", "odd"), "TargetHealthy").get("status") == "True", "it is healed")
    assert stalled(kube, "cb", "odd") == ""


@pytest.mark.failure(
    of="Input",
    what="A breaker names an address that is not allowed",
    see="`Stalled` with the reason; not a packet is sent",
    bound="0 probes",
)
def test_a_forbidden_address_is_never_probed(empty: Kube) -> None:
    empty.apply(BREAKER.format(target="{url: 'http://169.254.169.254/latest/meta-data'}"))
    wait_for(lambda: stalled(empty, "cb", "odd") == "TargetNotAllowed", "the breaker says that it may not")
    assert condition(empty.get("cb", "odd"), "Ready")["status"] == "False"


def test_an_endpoint_that_is_not_a_pod_of_the_namespace_counts_as_a_raw_address(empty: Kube) -> None:
    empty.apply("{apiVersion: v1, kind: Service, metadata: {name: sly}, spec: {ports: [{port: 80}]}}")
    empty.apply(
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, "
        "metadata: {name: sly-1, labels: {kubernetes.io/service-name: sly}}, "
        "ports: [{port: 80, name: ''}], endpoints: [{addresses: [10.200.0.2]}]}"
    )
    empty.apply(BREAKER.format(target="{serviceRef: {name: sly, port: 80}}"))
    wait_for(lambda: stalled(empty, "cb", "odd") == "TargetNotAllowed", "the breaker says that it may not")


@pytest.mark.failure(
    of="Input",
    what="A policy names a target that does not exist",
    see="`Stalled` with `TargetNotFound`; it goes on by itself once the target is there",
    bound="nothing is done meanwhile",
)
def test_a_policy_without_its_target_is_stalled_until_the_target_is_there(empty: Kube) -> None:
    empty.apply(
        "{apiVersion: recovery.ultra.dev/v1alpha1, kind: RecoveryPolicy, metadata: {name: early}, spec: {"
        "targetRef: {kind: Deployment, name: later}, triggers: [{name: pods, podUnhealthy: {}}], "
        "ladder: [{name: restart, action: {restartPods: {}}}]}}"
    )
    wait_for(lambda: stalled(empty, "rp", "early") == "TargetNotFound", "the policy says what is missing")
    empty.apply(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: later}, spec: {replicas: 0, "
        "selector: {matchLabels: {app: later}}, template: {metadata: {labels: {app: later}}, "
        "spec: {containers: [{name: one, image: localhost/none}]}}}}"
    )
    wait_for(lambda: condition(empty.get("rp", "early"), "Ready").get("status") == "True", "it is healed")
    assert stalled(empty, "rp", "early") == ""
